"""The flavors: each opens one kind of model files. Their table is `FLAVORS` in `sparkml.models`."""
