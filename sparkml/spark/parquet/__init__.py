"""Arrow batches into Parquet files that no log names yet; runs in the workers, without PySpark.

layout.py      what crosses: `Layout` out to the tasks, a `FileReport` of each file back
writer.py      `write_files`
columns.py     rows as the table's files hold them, and the writer's settings
partitions.py  rows by the values of their partition columns
stats.py       Delta's statistics out of the Parquet footer
"""
