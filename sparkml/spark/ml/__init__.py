"""Spark ML pipelines behind `score()`: their own transform, guarded where it would end a job."""
