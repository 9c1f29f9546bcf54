"""A real YARN and a real S3 for tests: Hadoop's own daemons, and moto's S3 with a doorkeeper.

with S3() as s3, Yarn(tmp_path, s3_endpoint=s3.url) as yarn:
    done = yarn.submit(["spark-submit", "--deploy-mode", "cluster", "s3://bucket/job.py"])
"""

from tests.emr.yarn import rest
from tests.emr.yarn.cluster import Submitted, Yarn
from tests.emr.yarn.jars import missing
from tests.emr.yarn.s3 import KEY, S3, SECRET

__all__ = ["KEY", "S3", "SECRET", "Submitted", "Yarn", "missing", "rest"]
