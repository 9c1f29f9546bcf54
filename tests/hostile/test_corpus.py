"""The corpus: a hostile case ends in an error that is one of ours, a benign one is right."""

from __future__ import annotations

import pytest

from sparkml.models.sandbox import client
from tests.hostile import (
    archives,
    boosters,
    configurations,
    documents,
    keyed,
    mlmodels,
    onnx_graphs,
    own_libraries,
    pickles,
    places,
    spark_ml,
)
from tests.hostile.outcomes import RIGHT, tried

TOPICS = (
    archives,
    boosters,
    configurations,
    documents,
    keyed,
    mlmodels,
    onnx_graphs,
    own_libraries,
    pickles,
    places,
    spark_ml,
)
CASES = [case for topic in TOPICS for case in topic.CASES]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True, scope="module")
def libraries():
    """Imported once, there and here: their import is not what is timed."""
    client.start()


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case.id)[1:-1])
def test_a_case_ends_as_it_must(case, tmp_path):
    """With an error that it expects, or with the right scores; `tried` says what is never right."""
    assert tried(case, tmp_path / "case") in case.outcomes.split()


def test_the_corpus_is_large_and_two_sided():
    """Refusing everything would pass half of it."""
    assert len(CASES) >= 150
    assert sum(case.outcomes == RIGHT for case in CASES) >= 20
