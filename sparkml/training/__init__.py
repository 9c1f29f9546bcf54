"""Training: metrics and plots of a model that has just been fitted; no Spark."""
