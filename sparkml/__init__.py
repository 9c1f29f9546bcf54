"""Score tables of any size on Apache Spark with the models you already have."""
