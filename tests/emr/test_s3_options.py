"""What `fs.s3a.*` says of a store, as Arrow is told it."""

from __future__ import annotations

import pytest

from sparkml.files import S3Options, open_address
from sparkml.spark.s3 import options_of

S3A = "org.apache.hadoop.fs.s3a"


def options(**settings: str) -> S3Options:
    """The options of settings whose names have underscores for dots."""
    named = {name.replace("_", "."): value for name, value in settings.items()}
    return options_of(lambda name: named.get(name, ""), named.get)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, S3Options()),
        ({"endpoint": "s3.amazonaws.com"}, S3Options()),
        ({"endpoint": "s3.eu-west-1.amazonaws.com"}, S3Options(region="eu-west-1")),
        ({"endpoint_region": "eu-west-1"}, S3Options(region="eu-west-1")),
        (
            {"endpoint": "http://127.0.0.1:9000", "path_style_access": "true"},
            S3Options(endpoint="127.0.0.1:9000", scheme="http"),
        ),
        (
            {"endpoint": "store:9000", "connection_ssl_enabled": "false"},
            S3Options(endpoint="store:9000", scheme="http", path_style=False),
        ),
        ({"access_key": "AKIA", "secret_key": "s"}, S3Options(access_key="AKIA", secret_key="s")),
        (
            {
                "access_key": "ASIA",
                "secret_key": "s",
                "session_token": "t",
                "aws_credentials_provider": f"{S3A}.TemporaryAWSCredentialsProvider",
            },
            S3Options(access_key="ASIA", secret_key="s", session_token="t"),
        ),
        # S3A itself would not take the keys there: neither does Arrow.
        (
            {
                "access_key": "AKIA",
                "secret_key": "s",
                "aws_credentials_provider": f"{S3A}.auth.IAMInstanceCredentialsProvider",
            },
            S3Options(),
        ),
        (
            {"aws_credentials_provider": f"{S3A}.AnonymousAWSCredentialsProvider"},
            S3Options(anonymous=True),
        ),
    ],
)
def test_arrow_is_told_what_s3a_is_told(settings, expected):
    assert expected == options(**settings)


def test_keys_are_not_shown():
    shown = repr(options(access_key="AKIA", secret_key="its-secret", session_token="a-token"))

    assert not [word for word in ("AKIA", "its-secret", "a-token") if word in shown]


def test_an_address_opens_at_the_endpoint_with_its_path_as_it_stands():
    s3 = S3Options(
        endpoint="127.0.0.1:9", scheme="http", region="r", access_key="k", secret_key="s"
    )

    system, path = open_address("s3a://bucket/a folder/100%25", s3)

    assert ("s3", "bucket/a folder/100%25") == (system.type_name, path)
    assert "r" == system.region
    with pytest.raises(ValueError, match="names no place"):
        open_address("s3:///", s3)
