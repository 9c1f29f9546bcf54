"""The requests of the shipped specs are the reviewed ones."""

import pytest

from tests.emr.golden import HERE, SPECS, requests_of


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_shipped_spec_gives_the_request_that_was_reviewed(path):
    """A change of a spec or of the code shows here: `python -m tests.emr.golden`, then read it."""
    assert (HERE / f"{path.stem}.json").read_text(encoding="utf-8") == requests_of(path)


def test_no_file_is_left_of_a_spec_that_went():
    assert [path.stem for path in SPECS] == sorted(file.stem for file in HERE.iterdir())
