"""What errors advise works as it stands: each fix is followed, and the job gives what it should."""

from __future__ import annotations

import re
import shutil
import uuid

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sparkml import score
from sparkml.arrow import cast_rule
from sparkml.binding import advice
from sparkml.config import load_config
from sparkml.errors import SignatureError, SourceError
from sparkml.spark import run as runs
from sparkml.spark.types import arrow_schema
from sparkml.spec import Field, Signature
from tests.models import save
from tests.spark.test_job import Quiet

pytestmark = pytest.mark.spark

VALUES = {
    "BOOLEAN": "true",
    "TINYINT": "127Y",
    "INT": "2147483647",
    "BIGINT": "9223372036854775807",
    "DOUBLE": "double('NaN'), double('Infinity'), 2.5d",
    "DECIMAL(38, 2)": "999999999999999999999999999999999999.99bd",
    "STRING": "'x', '12', '2024-01-01', '[1.5]', '{\"a\": 1}'",
    "BINARY": "X'00ff'",
    "DATE": "date'0001-01-01', date'9999-12-31'",
    "TIMESTAMP": "timestamp'0001-01-01', timestamp'9999-12-31'",
    "TIMESTAMP_NTZ": "timestamp_ntz'9999-12-31'",
    "ARRAY<DOUBLE>": "array(double('NaN'))",
    "ARRAY<STRING>": "array('x', null)",
    "STRUCT<a: INT>": "named_struct('a', 1)",
}
"""A type of Spark's → values of it that a careless cast fails on."""

TARGETS = [
    pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64(),
    pa.string(), pa.binary(), pa.date32(), pa.timestamp("us", "UTC"), pa.timestamp("us"),
    pa.decimal128(9, 2), pa.decimal128(18, 0), pa.list_(pa.float64()), pa.list_(pa.int64()),
    pa.list_(pa.string()),
]  # fmt: skip


@pytest.mark.parametrize("given", VALUES)
def test_an_advised_cast_gives_the_model_s_type_and_ends_no_job(spark, given):
    """In SQL's words, whatever the values are."""
    values = ", ".join(f"CAST({v} AS {given})" for v in VALUES[given].split(", "))
    if given.startswith(("ARRAY", "STRUCT")):
        values = VALUES[given]
    rows = spark.sql(f"SELECT explode(array({values}, CAST(NULL AS {given}))) AS `n``.a b`")
    dtype = arrow_schema(rows.schema, where="").field(0).type
    refused = [t for t in TARGETS if cast_rule(dtype, t) is None]
    followed = {}
    for i, wanted in enumerate(refused):
        said = advice("n`.a b", dtype, wanted)
        if found := re.search(r"(?:TRY_CAST|CAST|from_json)\(.*\)$", said):
            followed[f"t{i}"] = (found[0], wanted)
        else:
            assert "in a step" in said

    made = rows.selectExpr(*[f"{expr} AS {name}" for name, (expr, _) in followed.items()])

    types = arrow_schema(made.schema, where="")
    assert all(cast_rule(types.field(n).type, w) for n, (_, w) in followed.items())
    made.write.format("noop").mode("overwrite").save()


@pytest.fixture
def go(spark, tmp_path):
    """Runs a job over a source with a model of `x`, or with another one."""
    x = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
    joblib.dump(LinearRegression().fit(x, x["x"] * 2), tmp_path / "double.joblib")
    table = pd.DataFrame({"zip": ["01234", "10115", "80331"] * 5})
    encoder = OneHotEncoder(handle_unknown="ignore")
    zips = make_pipeline(make_column_transformer((encoder, ["zip"])), LinearRegression())
    joblib.dump(zips.fit(table, [1.0, 2.0, 3.0] * 5), tmp_path / "zips.joblib")
    models = {
        "double": {"uri": str(tmp_path / "double.joblib")},
        "zips": {"uri": str(tmp_path / "zips.joblib"), "signature": "zip: string"},
    }
    confs = []

    def run(source, model="double", key="id", conf=None, **changes):
        file, out = tmp_path / "job.yaml", tmp_path / "out"
        shutil.rmtree(out, ignore_errors=True)
        config = {
            "models": {"m": models[model]},
            "key": key,
            "source": source,
            "sink": {"format": "delta", "path": str(out)},
            "spark": {"conf": conf or {}},
            **changes,
        }
        confs.extend(conf or {})
        file.write_text(yaml.safe_dump(config))
        runs.run(load_config(str(file), env={}), report=Quiet())
        rows = spark.read.format("delta").load(str(out)).orderBy(key).collect()
        return [row.m.prediction for row in rows]

    yield run
    for name in confs:
        spark.conf.unset(name)


def test_codes_of_a_csv_file_keep_their_zeros_once_the_schema_is_declared(go, tmp_path):
    """The whole schema is told, ready to copy; a cast of what was inferred is not."""
    path = tmp_path / "t.csv"
    path.write_text("id,zip,a b\n1,01234,0.5\n2,10115,1.5\n")
    source = {"format": "csv", "path": str(path)}
    with pytest.raises(SignatureError) as error:
        go(source, "zips")
    schema = error.value.fix.partition("declare source.schema: ")[2]
    assert schema == "id INT, zip STRING, `a b` DOUBLE"

    got = go({**source, "schema": schema}, "zips")

    np.testing.assert_allclose(got, [1.0, 2.0])


@pytest.mark.parametrize("declared", ["id INT, zip INT", None])
def test_the_same_behind_a_query_and_where_a_number_was_declared(go, tmp_path, declared):
    """The view's schema is what to declare."""
    path = tmp_path / "t.csv"
    path.write_text("id,zip\n1,01234\n2,10115\n")
    view = {"format": "csv", "path": str(path), **({"schema": declared} if declared else {})}
    source = {"format": "sql", "query": "SELECT id, zip FROM v WHERE id > 0", "views": {"v": view}}
    with pytest.raises(SignatureError) as error:
        go(source, "zips")
    schema = error.value.fix.partition("declare source.views.v.schema: ")[2]

    got = go({**source, "views": {"v": {**view, "schema": schema}}}, "zips")

    np.testing.assert_allclose(got, [1.0, 2.0])


def test_what_a_step_computes_is_cast(go, tmp_path):
    """Its text was not lost by reading."""
    path = tmp_path / "t.csv"
    path.write_text("id,code\n1,1234\n2,10115\n")
    source = {"format": "csv", "path": str(path)}
    steps = [{"column": "zip", "expr": "code + 0"}]
    with pytest.raises(SignatureError) as error:
        go(source, "zips", steps=steps)
    advised = re.search(r"CAST\(.*\)", error.value.fix)[0]

    got = go(source, "zips", steps=[*steps, {"column": "zip", "expr": f"lpad({advised}, 5, '0')"}])

    np.testing.assert_allclose(got, [1.0, 2.0])


def test_codes_in_folders_names_keep_their_zeros_once_spark_does_not_infer(go, tmp_path):
    """The setting that is named, in the job's own configuration."""
    for i, code in enumerate(("01234", "10115")):
        folder = tmp_path / "t" / f"zip={code}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"id": [i]}), folder / "a.parquet")
    source = {"format": "parquet", "path": str(tmp_path / "t")}
    with pytest.raises(SignatureError) as error:
        go(source, "zips")
    name, value = re.search(r"set (\S+) to (\S+) in spark.conf", error.value.fix).groups()

    got = go(source, "zips", conf={name: value})

    np.testing.assert_allclose(got, [1.0, 2.0])


def test_a_dataframe_is_told_the_same(spark, tmp_path):
    """`score` looks where its DataFrame came from; two columns are told together."""
    (tmp_path / "t.csv").write_text("id,zip,zip2\n1,01234,01234\n")
    df = spark.read.csv(str(tmp_path / "t.csv"), header=True, inferSchema=True)
    table = pd.DataFrame({"zip": ["01234", "10115"], "zip2": ["01234", "10115"]})
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LinearRegression()).fit(
        table, [1.0, 2.0]
    )
    texts = Signature(inputs=tuple(Field(name=n, type="string") for n in table))
    spec = save(model, tmp_path, name="zips2", signature=texts)

    with pytest.raises(SignatureError, match="reader's schema: id INT, zip STRING, zip2 STRING"):
        score(df, spec)


ODD = {
    "nanoseconds": pa.array([10**18, 1], pa.timestamp("ns")),
    "uuid": pa.array([uuid.UUID(int=i).bytes for i in (1, 2)], pa.uuid()),
    "half": pa.array(np.array([1, 2], np.float16)),
    "time": pa.array([1, 2], pa.time64("ns")),
    "nested": pa.array([{"a": 1}, {"a": 2}], pa.struct([("a", pa.timestamp("ns"))])),
    "wide decimal": pa.array([1, 2], pa.decimal256(50, 2)),
}
"""Columns of Parquet files whose types Spark has not."""


@pytest.mark.parametrize("kind", ODD)
def test_a_column_that_spark_cannot_read_harms_nobody_who_does_not_ask_for_it(go, tmp_path, kind):
    """Whether the job leaves it out or says so; who asks is told why, and how to go on."""
    folder = tmp_path / "t" / "day=2024-01-01"
    folder.mkdir(parents=True)
    columns = {"id": pa.array([1, 2]), "x": pa.array([1.0, 2.0]), "it`s": ODD[kind]}
    pq.write_table(pa.table(columns), folder / "a.parquet")
    source = {"format": "parquet", "path": str(tmp_path / "t")}

    np.testing.assert_allclose(go({**source, "columns": ["X", "id"]}), [2.0, 4.0])
    np.testing.assert_allclose(go(source, keep=["day"]), [2.0, 4.0])

    with pytest.raises(SourceError, match="Spark does not know the type of 'it`s'") as error:
        go(source, keep="*")
    columns = re.search(r"columns: \[(.*?)\]", error.value.fix)[1].split(", ")
    np.testing.assert_allclose(go({**source, "columns": columns}, keep="*"), [2.0, 4.0])
    with pytest.raises(SourceError, match="Spark does not know the type of 'it`s'"):
        go(source, keep="it`s")


def test_nanoseconds_become_a_time_as_advised(spark, go, tmp_path):
    """The setting and the step that are named, together."""
    table = pa.table(
        {"id": [1], "x": [1.0], "at": pa.array([1_700_000_000 * 10**9], pa.timestamp("ns"))}
    )
    pq.write_table(table, tmp_path / "t.parquet")
    source = {"format": "parquet", "path": str(tmp_path / "t.parquet")}
    with pytest.raises(SourceError) as error:
        go(source, keep="at")
    name, value = re.search(r"set (\S+) to (\S+) in spark.conf", error.value.fix).groups()
    step = re.search(r"TIMESTAMP_MICROS\(.*\)", error.value.fix)[0]

    go(source, keep="at", conf={name: value}, steps=[{"column": "at", "expr": step}])

    rows = spark.read.format("delta").load(str(tmp_path / "out"))
    assert rows.selectExpr("unix_seconds(at) AS s").first().s == 1_700_000_000


def test_an_interrupted_copy_is_told_and_its_removal_helps(go, tmp_path):
    """An empty file among whole ones; nobody is sent to look for a source that exists."""
    folder = tmp_path / "t"
    folder.mkdir()
    pq.write_table(pa.table({"id": [1], "x": [1.0]}), folder / "b.parquet")
    for damaged in (b"", (folder / "b.parquet").read_bytes()[:99]):
        (folder / "a.parquet").write_bytes(damaged)
        with pytest.raises(SourceError, match=r"cut short.*copy it again, or remove it"):
            go({"format": "parquet", "path": str(folder)})
    (folder / "a.parquet").unlink()

    np.testing.assert_allclose(go({"format": "parquet", "path": str(folder)}), [2.0])


def test_a_charset_that_spark_does_not_know_is_read_as_advised(spark, go, tmp_path):
    """With the setting that is named, the text is the one that was written."""
    (tmp_path / "t.csv").write_bytes("id,x,s\n1,1.0,café €\n".encode("cp1252"))
    source = {"format": "csv", "path": str(tmp_path / "t.csv"), "options": {"encoding": "cp1252"}}
    with pytest.raises(SourceError, match="CHARSET") as error:
        go(source)
    name, value = re.search(r"set (\S+) to (\S+) in spark.conf", error.value.fix).groups()

    go(source, keep="s", conf={name: value})

    assert spark.read.format("delta").load(str(tmp_path / "out")).first().s == "café €"


@pytest.mark.parametrize(
    ("source", "fix"),
    [
        ({"format": "parquet", "path": "{home}/none"}, "name a source that exists"),
        ({"format": "csv", "path": "{home}/none"}, "name a source that exists"),
        ({"format": "delta", "path": "{home}/none"}, "name a source that exists"),
        ({"format": "table", "table": "none"}, "name a source that exists"),
        ({"format": "sql", "query": "SELECT * FROM none"}, "name a source that exists"),
        ({"format": "sql", "query": "SELECT nothing FROM range(3)"}, "correct the query"),
        ({"format": "sql", "query": "SELECT none(1)"}, "correct the query"),
        ({"format": "sql", "query": "SELEC 1"}, "correct what is written there"),
        ({"format": "parquet", "path": "{home}/empty"}, "name a folder that holds data files"),
        ({"format": "delta", "path": "{home}/plain"}, "the format that these files have"),
        ({"format": "table", "table": "a.b.c"}, "spark.sql.catalog."),
        ({"format": "parquet", "path": "nowhere://a/b"}, "a store that this Spark reads"),
        (
            {"format": "csv", "path": "{home}/t.csv", "schema": "id INTT"},
            "name a type of Spark's SQL",
        ),
        ({"format": "csv", "path": "{home}/few.csv"}, "mode: PERMISSIVE"),
    ],
)
def test_each_way_to_be_unreadable_has_its_own_advice(go, tmp_path, source, fix):
    """`name a source that exists` only where there is none."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "plain").mkdir()
    pq.write_table(pa.table({"id": [1], "x": [1.0]}), tmp_path / "plain" / "a.parquet")
    (tmp_path / "t.csv").write_text("id,x\n1,1.0\n")
    (tmp_path / "few.csv").write_text("id,x,y\n1,1.0\n")
    if "path" in source:
        source = {**source, "path": source["path"].format(home=tmp_path)}

    with pytest.raises(SourceError) as error:
        go(source)

    assert fix in error.value.fix
    assert ("exists" in error.value.fix) == (
        fix == "name a source that exists" or "plain" in str(source)
    )
