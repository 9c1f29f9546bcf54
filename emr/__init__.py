"""Amazon EMR: values → the request → the client; packaging, logs, cost, and other doors.

spec.py      what a cluster is; `job_run.py`: what one run of a job is (values, read from conf/)
request.py   a cluster's request, exactly as boto3 takes it (pure)
steps.py     a run's step (pure)
package/     the code and the environment that travel to the cluster
client.py    the only file that imports boto3
cli.py       the `emr` command

Importing it needs neither boto3 nor Spark.
"""
