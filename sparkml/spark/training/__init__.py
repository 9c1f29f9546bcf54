"""The stories of the training jobs, and what their tasks do."""
