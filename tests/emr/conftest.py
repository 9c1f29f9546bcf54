"""What the tests of EMR share: credentials that are none, an S3 server, the local EMR."""

from __future__ import annotations

import itertools
import sys
from contextlib import ExitStack

import boto3
import pytest

from emr import cli
from tests.emr.driver import Driver
from tests.emr.endpoint import EmrEndpoint, Runner

_buckets = itertools.count(1)


@pytest.fixture(scope="session")
def s3_server():
    """The address of an S3 server for this whole session: moto's, over real HTTP."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws_environment(monkeypatch, tmp_path, s3_server):
    """Credentials and a region that are no one's; S3 is the local server, and nothing is AWS."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_EMR"):
        monkeypatch.delenv(name, raising=False)
    values = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "no-aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-aws-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ENDPOINT_URL_S3": s3_server,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


@pytest.fixture
def bucket(aws_environment, s3_server):
    """The name of a new and empty bucket."""
    name = f"bucket-{next(_buckets)}"
    boto3.client("s3", endpoint_url=s3_server).create_bucket(Bucket=name)
    return name


@pytest.fixture
def emr_endpoint(aws_environment, s3_server, tmp_path, monkeypatch):
    """A factory of local EMRs; the newest is what AWS_ENDPOINT_URL_EMR names.

    It takes what `EmrEndpoint` takes. At the end none may have answered against EMR's model.
    """
    with ExitStack() as stack:
        made = []

        def make(**options):
            options.setdefault("runner", Runner(folder=tmp_path / f"emr-{len(made)}"))
            endpoint = stack.enter_context(EmrEndpoint(s3_endpoint=s3_server, **options))
            made.append(endpoint)
            monkeypatch.setenv("AWS_ENDPOINT_URL_EMR", endpoint.url)
            return endpoint

        yield make
    assert [] == [mistake for endpoint in made for mistake in endpoint.mistakes]


@pytest.fixture
def quick(monkeypatch):
    """Polls ten times a second instead of every 20 s."""
    monkeypatch.setenv("SPARKML_EMR_POLL_S", "0.1")


@pytest.fixture
def driver(tmp_path):
    """The stand-in for `spark-submit` that the endpoint runs."""
    return Driver(tmp_path / "driver")


@pytest.fixture
def emr(monkeypatch, capsys):
    """The command in this process: its exit status, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["emr", *map(str, arguments)])
        capsys.readouterr()
        status = cli.status()
        said = capsys.readouterr()
        return status, said.out, said.err

    return run
