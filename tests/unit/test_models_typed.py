"""Types that no model tells: the table's own, once there is a table."""

from __future__ import annotations

from functools import partial

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn import ensemble, linear_model, pipeline, preprocessing

from sparkml import Field, Signature, load_scorer, read_spec
from sparkml.config.signature import parse_signature
from sparkml.errors import ConfigError, SignatureError, SignatureUnknown
from sparkml.models.artifact import cached_folder
from sparkml.models.typed import refuse_open, typed
from sparkml.scoring import cache, late
from sparkml.spec import NullPolicy

RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "city": RNG.choice(["Bonn", "Rome"], 60),
        "size": RNG.normal(size=60),
        "age": RNG.integers(1, 90, 60),
    }
)
Y = (TABLE["city"] == "Rome").astype(int)
BATCH = pa.RecordBatch.from_pandas(TABLE, preserve_index=False)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def model():
    """A step that is a function of somebody's, which may do anything with a table."""
    return pipeline.make_pipeline(
        preprocessing.FunctionTransformer(pd.get_dummies),
        ensemble.HistGradientBoostingClassifier(max_iter=5),
    ).fit(TABLE, Y)


@pytest.fixture
def read(tmp_path):
    def read(model, **options):
        joblib.dump(model, tmp_path / "model.joblib")
        return read_spec(str(tmp_path / "model.joblib"), **options)

    return read


def test_the_names_are_the_model_s_and_the_types_the_table_s(model, read):
    """The model is asked the rest then: what it gives for gaps."""
    spec = read(model)
    assert spec.signature.names == spec.signature.open == ("city", "size", "age")
    made = typed(spec, BATCH.schema)
    assert {f.name: f.type for f in made.signature.inputs} == {
        "city": "string",
        "size": "double",
        "age": "int64",
    }
    assert made.signature.outputs == spec.signature.outputs
    assert typed(made, BATCH.schema) is made
    scored = load_scorer(made)(BATCH)
    assert scored["prediction"].to_pylist() == model.predict(TABLE).tolist()


def test_a_scorer_takes_the_types_of_each_batch(model, read):
    """One of other types is read as itself, and not as the first one."""
    spec = read(model)
    scorer = load_scorer(spec)
    other = TABLE.assign(age=TABLE["age"] + 0.5)
    for table in (TABLE, other, TABLE.astype({"size": "float32"}), TABLE):
        scored = scorer(pa.RecordBatch.from_pandas(table, preserve_index=False))
        assert scored["prediction"].to_pylist() == model.predict(table).tolist()
        assert scored.schema == scorer.output_schema
    with pytest.raises(SignatureError, match="'size' is missing"):
        scorer(BATCH.select(["city", "age"]))
    with pytest.raises(SignatureUnknown, match=r"'city', 'size', 'age'.*or score a table"):
        refuse_open(spec)


def test_null_policies_wait_for_the_types(model, read):
    """The declared ones stand; the model's own default is found when it can be asked."""
    fill = {"fill": "Rome"}
    made = typed(read(model, nulls={"city": fill}), BATCH.schema)
    assert made.null_policy("city") == NullPolicy(kind="fill", value="Rome")
    assert typed(read(model), BATCH.schema).null_policy("size").kind in ("model", "quarantine")
    with pytest.raises(ConfigError, match="cannot fill a column of type int64"):
        typed(read(model, nulls={"age": fill}), BATCH.schema)


def test_a_column_that_the_table_lacks_is_missing(model, read):
    """As for any other model."""
    few = BATCH.select(["city", "age"])
    with pytest.raises(SignatureError, match="'size' is missing"):
        load_scorer(typed(read(model), few.schema))(few)


def test_a_regression_s_output_is_a_number_whatever_its_inputs_are(read):
    """Nothing can be asked of it without types."""

    model = pipeline.make_pipeline(
        preprocessing.FunctionTransformer(pd.get_dummies), linear_model.Ridge()
    ).fit(TABLE, TABLE["size"])
    spec = read(model)
    assert [(f.name, f.type) for f in spec.signature.outputs] == [("prediction", "double")]
    scored = load_scorer(spec)(BATCH)
    np.testing.assert_allclose(scored["prediction"].to_numpy(), model.predict(TABLE), rtol=1e-12)


def test_a_declared_type_may_be_open(read):
    """In a configuration's words too."""
    model = linear_model.LogisticRegression().fit(TABLE[["size", "age"]], Y)
    declared = parse_signature("size: any, age: any")
    assert declared == Signature(
        inputs=(Field(name="size", type="any"), Field(name="age", type="any"))
    )
    made = typed(read(model, signature=declared), BATCH.schema)
    assert [f.type for f in made.signature.inputs] == ["double", "int64"]


def test_a_table_s_decimals_are_taken_whatever_their_digits(read):
    """The model is asked with zeros, which fit all of them."""
    model = linear_model.LogisticRegression().fit(TABLE[["size", "age"]].to_numpy(), Y)
    declared = parse_signature("size: any, age: any")
    column = pa.array(range(60)).cast(pa.decimal128(21, 2)).cast(pa.decimal128(4, 2))
    batch = pa.record_batch({"size": BATCH["size"], "age": column})
    made = typed(read(model, signature=declared), batch.schema)
    assert [f.type for f in made.signature.inputs] == ["double", "decimal128(4, 2)"]
    expected = model.predict(np.column_stack((TABLE["size"], range(60)))).tolist()
    assert load_scorer(made)(batch)["prediction"].to_pylist() == expected


def test_a_column_that_is_all_null_is_one_of_nothing(model, read):
    """Spark's VOID and Arrow's null say no type: what pandas has there is None, as in texts."""
    spec = read(model, nulls="model")
    batch = BATCH.set_column(0, "city", pa.nulls(60))
    made = typed(spec, batch.schema)
    assert made.signature.inputs[0].type == "string"
    for scorer in (load_scorer(made), load_scorer(spec)):
        scored = scorer(batch)
        assert len(scored) == 60


def minutes(table):
    """Of the day, by the clock: what a time of UTC and one without a zone differ in."""
    return (table["at"] - pd.Timestamp("2026-01-01")).dt.total_seconds().to_frame() / 60


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "+05:45"])
def test_instants_are_the_wall_clock_of_their_zone(zone, read):
    """As `toPandas` has them, and as where the type is declared."""
    clock = pd.date_range("2026-01-01", periods=60, freq="h")
    step = preprocessing.FunctionTransformer(minutes)
    model = pipeline.make_pipeline(step, linear_model.LinearRegression())
    model.fit(pd.DataFrame({"at": clock}), np.arange(60.0))
    column = pa.array(clock.tz_localize(zone), pa.timestamp("us", zone))
    batch = pa.record_batch({"at": column})
    spec = read(model)

    made = typed(spec, batch.schema)

    assert made.signature.inputs[0].type == "timestamp[us]"
    for scorer in (load_scorer(made), load_scorer(spec)):
        np.testing.assert_allclose(scorer(batch)["prediction"], np.arange(60.0), atol=1e-9)


def test_a_schema_is_looked_at_once(model, read, monkeypatch):
    """And the model opened once for its types, with the pools of threads capped around that."""
    calls = []
    for module, name in ((late, "with_types"), (cache, "cap_threads"), (cache, "open_verified")):
        noted = partial(_noted, calls, name, getattr(module, name))
        monkeypatch.setattr(module, name, noted)
    spec = read(model)
    scorer, _ = cache.cached_scorer(spec, cores=2, locate=cached_folder)
    calls.clear()
    assert scorer(BATCH) == scorer(BATCH)
    assert calls == ["with_types", "cap_threads", "open_verified", "cap_threads"]


def _noted(calls, name, of, *given, **named):
    calls.append(name)
    return of(*given, **named)


def test_nested_types_are_taken_by_names_that_are_read_again(read):
    """Lists, structs and what Spark's vectors are stored as."""
    vector = pa.struct(
        [
            ("type", pa.int8()),
            ("size", pa.int32()),
            ("indices", pa.list_(pa.int32())),
            ("values", pa.list_(pa.float64())),
        ]
    )
    lone = linear_model.LogisticRegression().fit(TABLE[["size", "age"]].to_numpy(), Y)
    spec = read(lone, signature=Signature(inputs=(Field(name="v", type="any"),)))
    for dtype in (vector, pa.list_(pa.float64()), pa.list_(pa.float32())):
        made = typed(spec, pa.schema([("v", dtype)]))
        assert made.signature.inputs[0].type in ("list<double>", "list<float>")
