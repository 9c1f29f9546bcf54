"""What botocore's errors become: who said no, and what to do; over real HTTP."""

from __future__ import annotations

import socket

import pytest

from emr.aws.client import connect, translated
from emr.aws.waiting import describe
from emr.errors import (
    AwsRefused,
    AwsUnreachable,
    CredentialsMissing,
    NotFound,
    RequestRefused,
)
from sparkml.errors import ConfigError
from tests.emr.endpoint import Fault


@pytest.fixture
def aws(emr_endpoint):
    """An account whose EMR answers here; `aws_of` gives the endpoint's faults a hand."""
    emr_endpoint()
    return connect("us-east-1")


def with_faults(emr_endpoint, *faults):
    endpoint = emr_endpoint(faults=faults)
    return connect("us-east-1"), endpoint


class TestErrors:
    def test_a_cluster_that_is_nobodys_is_not_found(self, aws):
        with pytest.raises(NotFound, match=r"j-NOBODYS.*DescribeCluster"):
            describe(aws, "j-NOBODYS")

    def test_a_missing_bucket_is_not_found(self, aws):
        with pytest.raises(NotFound, match="NoSuchBucket"), translated():
            aws.s3.list_objects_v2(Bucket="no-such-bucket-anywhere")

    def test_denied_access_names_the_operation_and_the_policy(self, emr_endpoint):
        aws, _ = with_faults(emr_endpoint, Fault(kind="access-denied"))
        with pytest.raises(AwsRefused, match=r"not authorized.*fix: allow DescribeCluster"):
            describe(aws, "j-ANY")

    def test_an_expired_token_says_to_sign_in_again(self, emr_endpoint):
        aws, _ = with_faults(emr_endpoint, Fault(kind="expired-token"))
        with pytest.raises(CredentialsMissing, match=r"expired.*sign in"):
            describe(aws, "j-ANY")

    def test_throttling_is_retried_and_goes_unnoticed(self, emr_endpoint):
        aws, endpoint = with_faults(emr_endpoint, Fault(kind="throttling", times=2))
        with pytest.raises(NotFound):
            describe(aws, "j-NOBODYS")
        assert ["DescribeCluster"] * 3 == endpoint.requests

    def test_throttling_beyond_every_retry_is_out_of_reach(self, emr_endpoint, monkeypatch):
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
        aws, endpoint = with_faults(emr_endpoint, Fault(kind="throttling", times=9))
        with pytest.raises(AwsUnreachable, match="Rate exceeded"):
            describe(aws, "j-ANY")
        assert ["DescribeCluster"] * 2 == endpoint.requests

    def test_an_internal_error_of_aws_is_out_of_reach(self, emr_endpoint, monkeypatch):
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        aws, _ = with_faults(emr_endpoint, Fault(kind="internal-error"))
        with pytest.raises(AwsUnreachable, match="internal error"):
            describe(aws, "j-ANY")

    def test_nobody_listening_is_out_of_reach(self, aws_environment, monkeypatch):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL_EMR", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        with pytest.raises(AwsUnreachable, match="fix: look at the network"):
            describe(connect("us-east-1"), "j-ANY")

    def test_no_credentials_are_told_before_anything_is_sent(self, emr_endpoint, monkeypatch):
        endpoint = emr_endpoint()
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        with pytest.raises(CredentialsMissing):
            describe(connect("us-east-1"), "j-ANY")
        assert [] == endpoint.requests

    def test_a_profile_that_is_not_there_is_missing_credentials(self, aws_environment):
        with pytest.raises(CredentialsMissing, match="no-such-profile"):
            connect("us-east-1", profile="no-such-profile")

    def test_no_region_is_a_mistake_of_configuration(self, aws_environment, monkeypatch):
        monkeypatch.delenv("AWS_DEFAULT_REGION")
        monkeypatch.delenv("AWS_REGION")
        with pytest.raises(ConfigError, match=r"no AWS region.*--region"):
            connect()

    def test_a_request_that_botocore_refuses_is_not_sent(self, aws):
        with pytest.raises(RequestRefused, match="Missing required parameter"), translated():
            aws.emr.describe_cluster()


class TestOnce:
    def test_a_call_that_must_not_be_sent_twice_is_sent_once(self, emr_endpoint):
        aws, endpoint = with_faults(emr_endpoint, Fault(kind="throttling", times=5))
        with pytest.raises(AwsUnreachable), translated():
            aws.emr_once.list_clusters()
        assert ["ListClusters"] == endpoint.requests

    def test_clients_are_made_when_used_and_kept(self, aws):
        assert aws.emr is aws.emr
        assert aws.emr is not aws.emr_once
        assert "us-east-1" == aws.pricing.meta.region_name
