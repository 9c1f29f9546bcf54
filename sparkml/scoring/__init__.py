"""The live model: one Arrow batch in, one Arrow batch out. Knows nothing of Spark."""
