"""An address becomes a file system and a path, whoever asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkml.files import open_address, scheme_of


@pytest.mark.parametrize(
    ("address", "scheme"),
    [
        ("conf/model.joblib", ""),
        ("/data/a:b/model", ""),
        ("model:1", ""),
        ("file:///tmp/m", "file"),
        ("file:/tmp/m", "file"),
        ("S3A://bucket/m", "s3a"),
        ("mlflow-artifacts:/1/m", "mlflow-artifacts"),
    ],
)
def test_the_scheme_is_what_stands_before_the_first_colon_and_slash(address, scheme):
    """A path has none, also where there is a colon in it."""
    assert scheme_of(address) == scheme


def test_a_path_and_its_uri_are_the_same_place(tmp_path, monkeypatch):
    """Relative, absolute, with a slash at its end, with a space, as Java writes URIs."""
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "a b%20é"
    uri = place.as_uri()
    for address in (
        "a b%20é",
        str(place),
        f"{place}/",
        uri,
        uri.replace("file://", "file:"),
        f"{uri}/",
    ):
        files, path = open_address(address)
        assert ("local", place) == (files.type_name, Path(path))
        assert not path.endswith("/")


def test_the_root_keeps_its_slash():
    """It is the one folder whose name is a slash."""
    assert open_address("/")[1] == "/" == open_address("file:///")[1]


@pytest.mark.parametrize(
    "address", ["gopher://host/m", "file:relative", "file://host/m", "s3://", "s3a:///key"]
)
def test_what_names_no_place_is_refused(address):
    """With the one class of error that callers turn into theirs."""
    with pytest.raises(ValueError, match=r"\S"):
        open_address(address)
