"""ONNX models give, through Arrow, what ONNX Runtime itself gives; and what scikit-learn gave."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skl2onnx import convert_sklearn, to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sparkml import load_scorer
from sparkml.models.read import open_predictor, read_spec
from sparkml.spec import Field, Signature
from sparkml.testing import check_scorer
from tests.graphs import FLOAT, INT64, graph, image_model, node, sequence_model

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4)).astype(np.float32)
Y = np.array(["high", "low", "mid"])[np.argmax(X[:, :3], axis=1)]
UNSEEN = RNG.normal(size=(60, 4)).astype(np.float32) * 2

FLOAT32 = 1e-5
"""Relative tolerance of float32 sums, about 80 ulp: the order of a matrix product's sums depends on
the batch, and a softmax magnifies that by the size of its scores. Trees only compare and add in
one order: they are equal in every bit."""

MODELS = {
    "linear": (LinearRegression(), X @ [1.0, -2.0, 0.5, 3.0], FLOAT32),
    "forest of numbers": (RandomForestRegressor(60, max_depth=6, random_state=0), X[:, 0], 0.0),
    "boosting": (GradientBoostingRegressor(n_estimators=40, random_state=0), X[:, 1], 0.0),
    "logistic": (LogisticRegression(), Y, FLOAT32),
    "forest": (RandomForestClassifier(40, max_depth=5, random_state=0), Y, 0.0),
    "perceptron": (MLPClassifier((8,), max_iter=60, tol=1e-1, random_state=0), Y, FLOAT32),
}
VALUES = st.one_of(
    st.floats(width=64, allow_nan=True, allow_infinity=True),
    st.integers(-(2**63), 2**63 - 1).map(float),
    st.integers(1_600_000_000, 1_900_000_000).map(float),
    st.sampled_from([0.0, -0.0, 5e-324, 3.4028235e38, -1e39, 16777217.0]),
)


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Model -> its native session and its predictor over four columns of doubles."""
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("onnx")
        patch.setenv("SPARKML_CACHE", str(folder / "cache"))
        for name, (model, target, _) in MODELS.items():
            model.fit(X, target)
            options = {"zipmap": name == "forest"} if hasattr(model, "classes_") else None
            content = to_onnx(model, X[:1], options=options).SerializeToString()
            (folder / f"{name}.onnx").write_bytes(content)
            inputs = tuple(Field(name=c, type="double") for c in "abcd")
            given_inputs = Signature(inputs=inputs)
            spec = read_spec(str(folder / f"{name}.onnx"), signature=given_inputs)
            made[name] = (session(content), open_predictor(spec), load_scorer(spec))
        yield made


def session(content):
    """ONNX Runtime as anybody starts it, one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def listed(result):
    """A result as plain lists: a ZipMap's scores without their classes, a column as values."""
    if isinstance(result, list):
        return [list(scores.values()) for scores in result]
    return (result[:, 0] if result.ndim == 2 and result.shape[1] == 1 else result).tolist()


def columns(table):
    return pa.RecordBatch.from_arrays([pa.array(c) for c in table.T], names=list("abcd"))


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(table=hnp.arrays(np.float64, st.tuples(st.integers(1, 12), st.just(4)), elements=VALUES))
def test_every_bit_is_the_runtime_s_own(name, converted, table):
    """Over NaN, infinities, huge integers, epoch seconds and doubles that no float can hold."""
    native, predictor, _ = converted[name]
    with np.errstate(over="ignore"):
        expected = [listed(r) for r in native.run(None, {"X": table.astype(np.float32)})]
    made = [column.to_pylist() for column in predictor.predict(columns(table))]
    for ours, theirs in zip(made, expected, strict=True):
        np.testing.assert_array_equal(np.array(theirs), np.array(ours))


@pytest.mark.parametrize("name", ["forest", "boosting"])
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(
        st.tuples(*[st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))] * 4), min_size=1
    )
)
def test_whole_numbers_are_rounded_once_and_nulls_are_nan(name, converted, rows, tmp_path_factory):
    """From 64 bits to a float directly, also in a column with nulls in it."""
    native, predictor, _ = converted[name]
    batch = pa.RecordBatch.from_arrays(
        [pa.array(column, pa.int64()) for column in zip(*rows, strict=True)], names=list("abcd")
    )
    table = np.array(
        [[np.float32(np.nan if v is None else np.int64(v)) for v in row] for row in rows],
        dtype=np.float32,
    )
    expected = listed(native.run(None, {"X": table})[-1])
    np.testing.assert_array_equal(expected, predictor.predict(batch)[-1].to_pylist())


@pytest.mark.parametrize("name", MODELS)
def test_the_laws_hold_for_each_conversion(name, converted):
    """Trees keep every bit however they are batched; float32 products keep five digits."""
    native, _, scorer = converted[name]
    results = [listed(r) for r in native.run(None, {"X": UNSEEN})]
    names = scorer.output_schema.names[:-1]
    check_scorer(
        scorer,
        columns(UNSEEN.astype(np.float64)),
        expected=dict(zip(names, results, strict=True)),
        rtol=MODELS[name][2],
    )


@pytest.mark.parametrize("name", MODELS)
def test_scikit_learn_s_numbers_are_kept_to_float32(name, converted):
    """The labels are the same; the numbers are those of a graph that computes in 32 bits.

    An ulp of float32 is 1.2e-7. Trees add up rounded leaves, one rounding a tree; a softmax
    magnifies the rounding of its scores by their size. So 1e-4 relative, 1e-6 beside zero.
    """
    model, *_ = MODELS[name]
    _, predictor, _ = converted[name]
    label, *chances = predictor.predict(columns(UNSEEN.astype(np.float64)))
    expected = model.predict(UNSEEN)
    if not chances:
        np.testing.assert_allclose(label.to_numpy(), expected, rtol=1e-4, atol=1e-5)
        return
    assert expected.tolist() == label.to_pylist()
    got = np.array(chances[0].to_pylist())
    np.testing.assert_allclose(got, model.predict_proba(UNSEEN), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("zipmap", [True, False])
def test_a_pipeline_takes_one_column_an_input_texts_among_them(zipmap, tmp_path, monkeypatch):
    """Encoded, scaled and scored inside the graph; the table's names may have their punctuation."""
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))
    table = pd.DataFrame(
        {
            "age": RNG.normal(40, 10, 120).astype(np.float32),
            "job.kind": RNG.choice(["clerk", "nurse", "smith"], 120),
            "visits": RNG.integers(0, 9, 120),
        }
    )
    pipeline = make_pipeline(
        make_column_transformer(
            (StandardScaler(), ["age", "visits"]),
            (OneHotEncoder(handle_unknown="ignore"), ["job.kind"]),
        ),
        LogisticRegression(),
    ).fit(table, table["age"] + table["visits"] > 44)
    types = [("age", FloatTensorType([None, 1])), ("job.kind", StringTensorType([None, 1]))]
    types.append(("visits", Int64TensorType([None, 1])))
    model = convert_sklearn(pipeline, initial_types=types, options={"zipmap": zipmap})
    (tmp_path / "p.onnx").write_bytes(model.SerializeToString())
    table.loc[3, "job.kind"] = "unseen"

    told = {"age": "float", "job.kind": "string", "visits": "int64"}
    inputs = tuple(Field(name=name, type=dtype) for name, dtype in told.items())
    spec = read_spec(str(tmp_path / "p.onnx"), signature=Signature(inputs=inputs))

    assert ("prediction", "probability") == tuple(f.name for f in spec.signature.outputs)
    feed = {
        one.name: table[[column]].to_numpy()
        for one, column in zip(session(model.SerializeToString()).get_inputs(), told, strict=True)
    }
    results = [listed(r) for r in session(model.SerializeToString()).run(None, feed)]
    batch = pa.RecordBatch.from_pandas(table, preserve_index=False)
    scorer = load_scorer(spec)
    # One of two probabilities is 1 minus the other: an ulp of 1, however small it is itself.
    rtol = float(2 * np.finfo(np.float32).eps / np.min(results[1]))
    check_scorer(
        scorer, batch, expected={"prediction": results[0], "probability": results[1]}, rtol=rtol
    )
    np.testing.assert_allclose(
        np.array(scorer(batch)["probability"].to_pylist()),
        pipeline.predict_proba(table),
        rtol=1e-4,
        atol=1e-6,
    )


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    images=hnp.arrays(
        np.float64,
        st.tuples(st.integers(1, 4), st.just(192)),
        elements=st.floats(-1e3, 1e3),
    )
)
def test_an_image_is_the_runtime_s_own_image(images, tmp_path_factory):
    """Doubles in a list column are the float32 pixels that a caller would have fed."""
    model = image_model()
    predictor = cached("image", model, tmp_path_factory)
    batch = pa.RecordBatch.from_pydict({"image": pa.array(images.tolist(), pa.list_(pa.float32()))})
    feed = {"image": images.astype(np.float32).reshape(-1, 3, 8, 8)}
    (expected,) = session(model.SerializeToString()).run(None, feed)
    assert expected.tolist() == predictor.predict(batch)[0].to_pylist()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.lists(st.integers(0, 49), min_size=1, max_size=6), min_size=1, max_size=20))
def test_a_sequence_is_scored_as_if_it_were_alone(rows, tmp_path_factory):
    """Whatever lengths stand beside it in the batch; its float32 sum may end in another ulp."""
    model = sequence_model()
    predictor = cached("sequence", model, tmp_path_factory)
    native = session(model.SerializeToString())
    masks = [[1] * len(row) for row in rows]
    (made,) = predictor.predict(pa.RecordBatch.from_pydict({"ids": rows, "mask": masks}))
    for row, mask, got in zip(rows, masks, made.to_pylist(), strict=True):
        (expected,) = native.run(None, {"ids": np.array([row]), "mask": np.array([mask])})
        np.testing.assert_allclose(got, expected[0], rtol=FLOAT32)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), VALUES), min_size=1))
def test_huge_whole_numbers_pass_through_a_graph_unharmed(values, tmp_path_factory):
    """All 64 bits of an integer, and the nearest float of a double, in one graph of two inputs."""
    model = graph(
        [node("Identity", "n", "same"), node("Neg", "x", "negative")],
        {"n": (INT64, ["N"]), "x": (FLOAT, ["N", 1])},
        {"same": (INT64, ["N"]), "negative": (FLOAT, ["N", 1])},
    )
    predictor = cached("two", model, tmp_path_factory)
    numbers, floats = zip(*values, strict=True)
    with np.errstate(over="ignore"):
        x = np.array(floats, dtype=np.float32)
    batch = pa.RecordBatch.from_pydict({"n": pa.array(numbers, pa.int64()), "x": pa.array(x)})
    same, negative = predictor.predict(batch)
    assert list(numbers) == same.to_pylist()
    np.testing.assert_array_equal(-x, negative.to_numpy())


_OPEN = {}


def cached(name, model, tmp_path_factory):
    """The predictor of a graph, opened once for all examples."""
    if name not in _OPEN:
        folder = tmp_path_factory.mktemp(name)
        (folder / "m.onnx").write_bytes(model.SerializeToString())
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SPARKML_CACHE", str(folder / "cache"))
            _OPEN[name] = open_predictor(read_spec(str(folder / "m.onnx")))
    return _OPEN[name]
