"""The scorer: the same rows in the same order, whatever the rows do to the model."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkml.arrow import matrix
from sparkml.errors import ContractViolation, NullInputError, SignatureError
from sparkml.scoring.batches import MAX_ROWS, MIN_ROWS, default_rows, rebatch
from sparkml.scoring.isolate import isolate
from sparkml.scoring.nulls import missing_values
from sparkml.scoring.scorer import ERROR_CODES, Scorer
from sparkml.spec import Field, ModelSpec, NullPolicy, Signature
from sparkml.testing import check_scorer
from sparkml.type_names import to_arrow_type

NAN = float("nan")


class Doubling:
    """A model of one's own: 2·a + b; it raises on a = 13 and counts its calls."""

    takes_nan = True

    def __init__(self) -> None:
        self.calls = 0

    def predict(self, batch: pa.RecordBatch) -> list[pa.Array]:
        self.calls += 1
        x = matrix(batch)
        if (x[:, 0] == 13).any():
            raise ValueError("thirteen")
        return [pa.array(2 * x[:, 0] + x[:, 1])]


def spec(**nulls: NullPolicy) -> ModelSpec:
    """A spec for `Doubling`; `default` stands for the default policy."""
    return ModelSpec(
        name="m",
        version="1",
        uri="models:/m/1",
        flavor="own",
        digest="0" * 64,
        signature=Signature(
            inputs=(Field(name="a", type="double"), Field(name="b", type="double")),
            outputs=(Field(name="prediction", type="double"),),
        ),
        nulls={{"default": "*"}.get(k, k): v for k, v in nulls.items()},
    )


def batch(a: list[float | None], b: list[float | None] | None = None) -> pa.RecordBatch:
    """Rows of `a`, and of `b`, which is 0 by default."""
    return pa.record_batch(
        {"a": pa.array(a, pa.float64()), "b": pa.array(b or [0.0] * len(a), pa.float64())}
    )


def errors(scores: pa.RecordBatch) -> dict[int, str]:
    """Row -> error code."""
    column = scores.column(scores.num_columns - 1).to_pylist()
    assert {e["code"] for e in column if e} <= set(ERROR_CODES)
    return {i: e["code"] for i, e in enumerate(column) if e}


@pytest.mark.parametrize("kind", ["propagate", "quarantine", "model", "fill", "fail"])
def test_the_laws_hold_under_every_policy(kind):
    """A model of one's own keeps the laws, whatever its nulls do."""
    rows = batch([float(i) for i in range(14, 40)], [0.5] * 26)
    policy = NullPolicy(kind=kind, value=1.0 if kind == "fill" else None)

    check_scorer(Scorer(spec(default=policy), Doubling()), rows)


def test_the_laws_catch_a_model_that_breaks_them():
    """A scorer that depends on the batch, or reorders rows, does not pass."""

    class Centred(Doubling):
        def predict(self, batch: pa.RecordBatch) -> list[pa.Array]:
            x = matrix(batch)
            return [pa.array(x[:, 0] - x[:, 0].mean())]

    class Sorted(Doubling):
        def predict(self, batch: pa.RecordBatch) -> list[pa.Array]:
            return [pa.array(np.sort(matrix(batch)[:, 0]))]

    rows = batch([5.0, 3.0, 1.0, 9.0, 7.0, 2.0])
    for broken in (Centred(), Sorted()):
        with pytest.raises(AssertionError):
            check_scorer(Scorer(spec(), broken), rows)


@given(st.lists(st.sampled_from([1.0, 2.0, 13.0, None]), min_size=1, max_size=64))
@settings(deadline=None)
def test_bad_rows_are_found_and_the_others_scored(values):
    """Every row that breaks the model is named, no other is touched."""
    scorer = Scorer(spec(default=NullPolicy(kind="quarantine")), Doubling())

    scores = scorer(batch(values))

    expected = {13.0: "MODEL_EXCEPTION", None: "NULL_INPUT"}
    assert {i: expected[v] for i, v in enumerate(values) if v in expected} == errors(scores)
    good = [None if v in expected else 2 * v for v in values]
    assert good == scores.column(0).to_pylist()


def test_a_model_that_fails_on_everything_is_given_up():
    """It is not called twice for each of a million rows to find that out."""

    def broken(batch: pa.RecordBatch) -> list[pa.Array]:
        raise RuntimeError("no weights")

    with pytest.raises(ContractViolation, match="on each of 5,000 rows: RuntimeError"):
        isolate(broken, batch([1.0] * 20_000), [pa.float64()])


def test_a_nan_deep_in_a_score_is_found():
    """Several outputs have lists of lists of probabilities."""

    class Deep(Doubling):
        def predict(self, batch: pa.RecordBatch) -> list[pa.Array]:
            x = matrix(batch)[:, 0]
            return [pa.array([[[1.0], [v]] for v in x], pa.list_(pa.list_(pa.float64())))]

    outputs = (Field(name="probability", type="list<list<double>>"),)
    signature = Signature(inputs=spec().signature.inputs, outputs=outputs)
    deep = dataclasses.replace(spec(default=NullPolicy(kind="model")), signature=signature)

    scores = Scorer(deep, Deep())(batch([1.0, float("nan"), 2.0]))

    assert {1: "NON_FINITE_SCORE"} == errors(scores)


def test_a_payload_is_json_whatever_the_row_holds():
    """Infinities, dates beyond Python's and very long texts do not end the job."""
    inputs = (
        Field(name="a", type="double"),
        Field(name="d", type="date32[day]"),
        Field(name="s", type="string"),
    )
    odd = dataclasses.replace(
        spec(), signature=Signature(inputs=inputs, outputs=spec().signature.outputs)
    )

    class Refusing(Doubling):
        def predict(self, batch: pa.RecordBatch) -> list[pa.Array]:
            raise ValueError("no")

    rows = pa.record_batch(
        {
            "a": [float("inf"), 1.0],
            "d": pa.array([10_000_000, 0], pa.int32()).cast(pa.date32()),
            "s": ["x", "y" * 20_000],
        }
    )

    first, second = Scorer(odd, Refusing())(rows).column(1).to_pylist()

    assert {"a": "inf", "d": "10000000", "s": "x"} == json.loads(first["payload"])
    assert json.loads(second["payload"])["cut"].startswith('{"a": 1.0')


def test_one_bad_row_costs_two_calls_a_halving():
    """Among 1,024 rows a bad one is found in at most 2·log2(n) + 1 calls."""
    model = Doubling()
    rows = batch([1.0] * 1_000 + [13.0] + [1.0] * 23)

    outputs, failures = isolate(model.predict, rows, [pa.float64()])

    assert [1_000] == list(failures)
    assert model.calls <= 21
    assert 1_024 == len(outputs[0])


def test_an_error_holds_what_is_needed_to_find_the_row():
    """Message, column and the row's inputs are kept, cut to a bounded size."""
    scorer = Scorer(spec(default=NullPolicy(kind="quarantine")), Doubling())

    error = scorer(batch([13.0, None])).column(1).to_pylist()

    assert "m: ValueError: thirteen" == error[0]["message"]
    assert {"a": 13.0, "b": 0.0} == json.loads(error[0]["payload"])
    assert ("NULL_INPUT", "a") == (error[1]["code"], error[1]["column"])


def test_each_column_has_its_own_policy():
    """Fill one, quarantine another, propagate a third."""
    policies = spec(a=NullPolicy(kind="propagate"), b=NullPolicy(kind="fill", value=10.0))

    scores = Scorer(policies, Doubling())(batch([None, 1.0, float("nan")], [1.0, None, None]))

    assert [None, 12.0, None] == scores.column(0).to_pylist()
    assert {} == errors(scores)


@pytest.mark.parametrize(
    ("dtype", "values", "missing"),
    [
        ("struct<x: double, y?: string>", [{"x": 1.0}, {"y": "b"}, None, {"x": NAN}], [1, 2, 3]),
        ("struct<x?: struct<y: double>>", [{}, {"x": {"y": None}}, {"x": {"y": 1.0}}], [1]),
        ("list<struct<x: double>>", [[], [{"x": 1.0}, {"x": None}], [None], None], [1, 2, 3]),
        ("map<string, double>", [[], [("a", 1.0)], [("a", None)], None], [2, 3]),
        ("map<string, list<double>>", [[("a", [1.0])], [("a", []), ("b", [NAN])]], [1]),
    ],
)
@pytest.mark.parametrize("start", [0, 1])
def test_a_gap_is_seen_however_deep_it_is(dtype, values, missing, start):
    """As in a list; what a struct may lack is none."""
    column = pa.array(values, to_arrow_type(dtype)).slice(start)
    found = missing_values(column, to_arrow_type(dtype))
    assert (np.flatnonzero(found) + start).tolist() == [row for row in missing if row >= start]


def test_the_policy_fail_fails():
    """A null then ends the job, naming the column."""
    scorer = Scorer(spec(default=NullPolicy(kind="fail")), Doubling())

    with pytest.raises(NullInputError, match="1 rows have no value in 'a'"):
        scorer(batch([1.0, None]))


def test_a_score_that_is_not_finite_is_never_silent():
    """NaN and infinities out of the model are quarantined."""
    scorer = Scorer(spec(default=NullPolicy(kind="model")), Doubling())

    scores = scorer(batch([1.0, float("inf"), None]))

    assert {1: "NON_FINITE_SCORE", 2: "NON_FINITE_SCORE"} == errors(scores)
    assert [2.0, None, None] == scores.column(0).to_pylist()


@pytest.mark.parametrize(
    "output", [pa.array([1.0]), pa.array([1, 2, 3]), pa.array(["x", "y", "z"])]
)
def test_a_model_that_breaks_its_contract_fails_the_job(output):
    """Too few rows or another type is no row's fault: nothing is quarantined for it."""

    class Broken(Doubling):
        def predict(self, batch: pa.RecordBatch) -> list[pa.Array]:
            return [output]

    with pytest.raises(ContractViolation, match="declared"):
        Scorer(spec(), Broken())(batch([1.0, 2.0, 3.0]))


def test_a_batch_without_a_column_is_refused():
    """The scorer alone checks as well, since it runs without Spark."""
    with pytest.raises(SignatureError, match="'b' is missing"):
        Scorer(spec(), Doubling())(pa.record_batch({"a": [1.0]}))


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 7))
def test_batches_are_cut_and_joined_without_losing_a_row(sizes, rows):
    """Batches of the asked size, the last one smaller, the rows in their order."""
    numbers = iter(range(1_000))
    given_batches = [
        pa.record_batch({"a": pa.array([next(numbers) for _ in range(n)], pa.int64())})
        for n in sizes
    ]

    got = list(rebatch(iter(given_batches), rows))

    assert list(range(sum(sizes))) == [v for b in got for v in b.column(0).to_pylist()]
    assert all(b.num_rows == rows for b in got[:-1])
    assert all(0 < b.num_rows <= rows for b in got)


def test_a_batch_is_sized_by_its_bytes():
    """Wide rows make small batches, narrow ones large, within bounds."""
    wide = pa.record_batch({"a": ["x" * 100_000] * 10})
    narrow = pa.record_batch({"a": pa.array(range(100_000), pa.int64())})

    assert MIN_ROWS == default_rows(wide)
    assert MAX_ROWS == default_rows(narrow)
    assert [MAX_ROWS, 100_000 - MAX_ROWS] == [b.num_rows for b in rebatch(iter([narrow]))]
