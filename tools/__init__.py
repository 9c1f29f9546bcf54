"""What `make` calls: set-up, demo, matrix."""
