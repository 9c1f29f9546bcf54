"""EMR on this machine: the API by HTTP, clusters with real states, steps that really run.

In a test, with the fixtures of `tests/emr/conftest.py`::

    def test_it(emr_endpoint, bucket):
        emr = emr_endpoint()                      # or emr_endpoint(faults=[Fault(kind=...)])
        client = boto3.client("emr", endpoint_url=emr.url)

or by hand::

    runner = Runner(folder=tmp_path, environment=yarn.environment())
    with EmrEndpoint(s3_endpoint="http://127.0.0.1:5000", runner=runner) as emr:
        ...                                       # AWS_ENDPOINT_URL_EMR=emr.url

or as a process: `python -m tests.emr.endpoint --port 8010 --s3 http://127.0.0.1:5000`.

What is real: every request and response is checked with botocore's model of the service; a step's
`command-runner.jar` runs its arguments as a command; `<LogUri>/<cluster>/steps/<step>/stderr.gz`
and its like come to the S3 server, late, as they do on AWS, and to CloudWatch at once if the
cluster's MonitoringConfiguration wants it. What is not: there are no nodes, no
signature is verified, no role is looked at, and a transition takes `Settings.pace` seconds.
"""

from __future__ import annotations

from .execute import ContainerLogs, Runner, folder_logs
from .faults import Fault, Faults
from .server import EmrEndpoint
from .world import Settings

__all__ = [
    "ContainerLogs",
    "EmrEndpoint",
    "Fault",
    "Faults",
    "Runner",
    "Settings",
    "folder_logs",
]
