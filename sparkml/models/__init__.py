"""What a model on disk is: its files, its flavor, its signature."""
