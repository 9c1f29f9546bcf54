"""The same model through `mlflow.pyfunc.spark_udf` and through `score_udf`: the same column."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import pytest
from pyspark.sql import functions as F  # noqa: N812

from sparkml import Field, Signature, score_udf
from sparkml.models.read import read_spec
from tests.quiet import quiet

pytestmark = pytest.mark.spark


with quiet():
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ParamSchema, ParamSpec

INPUTS = Signature(
    inputs=(
        Field(name="a", type="double"),
        Field(name="n", type="int64"),
        Field(name="b", type="bool"),
        Field(name="d", type="date32[day]"),
        Field(name="t", type="timestamp[us]"),
    )
)
ROWS = [
    (1.0, 1, True, "2020-01-02", "2020-01-02 03:04:05.678901"),
    (2.5, 2**53 + 1, False, "2262-04-11", "1900-01-01 00:00:00"),
]


def told_by_kind():
    with quiet():

        class Model(mlflow.pyfunc.PythonModel):
            """Returns one kind of result or another."""

            def predict(self, context, model_input, params=None):
                f = model_input
                return {
                    "texts": lambda: f[["a", "n", "b"]],
                    "numbers": lambda: f[["a", "n"]].set_axis(["x", "y"], axis=1),
                    "mapping": lambda: {"x": f["a"].to_numpy(), "y": f["n"].to_numpy()},
                    "what it sees": lambda: [
                        [row.d.year, repr(row.d), repr(row.t), f["t"].dtype, repr(params["day"])]
                        for row in f.itertuples()
                    ],
                }[params["kind"]]()

        return Model()


KINDS = [
    ("texts", "array<string>", "list<string>"),
    ("numbers", "array<double>", "list<double>"),
    ("mapping", "struct<x double, y bigint>", 'struct<"x": double, "y": int64>'),
    ("what it sees", "array<string>", "list<string>"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m"
    params = ParamSchema(
        [ParamSpec("kind", "string", ""), ParamSpec("day", "datetime", dt.date(2020, 1, 1))]
    )
    with quiet():
        mlflow.pyfunc.save_model(
            path,
            python_model=told_by_kind(),
            pip_requirements=["mlflow-skinny"],
            signature=ModelSignature(params=params),
        )
    return str(path)


@pytest.mark.parametrize(("kind", "sql", "arrow"), KINDS, ids=[row[0] for row in KINDS])
def test_a_result_is_the_same_column(kind, sql, arrow, spark, folder):
    """Values, texts of numbers, and the dates and params that the model sees."""
    names = ["a", "n", "b", "d", "t"]
    rows = spark.createDataFrame(ROWS, "a double, n bigint, b boolean, d string, t string")
    rows = rows.withColumns({"d": F.to_date("d"), "t": F.to_timestamp("t")}).coalesce(1)
    params = {"kind": kind, "day": dt.date(9999, 12, 31)}
    outputs = (Field(name="prediction", type=arrow),)
    given = Signature(inputs=INPUTS.inputs, outputs=outputs)
    ours = score_udf(read_spec(folder, signature=given, params=params), spark=spark)
    made = [row.s.prediction for row in rows.select(ours().alias("s")).collect()]
    with quiet():
        native = mlflow.pyfunc.spark_udf(
            spark, folder, result_type=sql, params=params, env_manager="local"
        )
        expected = [r.s for r in rows.select(native(F.struct(*names)).alias("s")).collect()]
    assert made == expected


def saved(predict, path):
    """A pyfunc model whose `predict` is a function of the frame."""
    with quiet():

        class Model(mlflow.pyfunc.PythonModel):
            """Calls it."""

            def predict(self, context, model_input, params=None):
                return predict(model_input)

        mlflow.pyfunc.save_model(path, python_model=Model(), pip_requirements=["mlflow-skinny"])
    return str(path)


def as_doubles(path, output="double"):
    given = Signature(
        inputs=(Field(name="a", type="double"),),
        outputs=(Field(name="prediction", type=output),),
    )
    return read_spec(path, signature=given)


def test_a_model_s_batch_is_spark_s_own(spark, tmp_path):
    """What `predict_batch_udf` calls `batch_size` is a setting of the session."""
    spec = as_doubles(saved(lambda frame: [float(len(frame))] * len(frame), tmp_path / "m"))
    rows = spark.range(0, 25, 1, 1).selectExpr("CAST(id AS DOUBLE) AS a")
    name = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = spark.conf.get(name)
    try:
        spark.conf.set(name, 10)
        made = rows.select(score_udf(spec, spark=spark)("a").prediction.alias("p")).collect()
    finally:
        spark.conf.set(name, before)
    assert [row.p for row in made] == [10.0] * 20 + [5.0] * 5


ENVIRONMENT = """
import sys
from sparkml import Field, Signature, build_session, read_spec, score_udf

given = Signature(
    inputs=(Field(name="a", type="double"),), outputs=(Field(name="prediction", type="string"),)
)
settings = {"spark.ui.enabled": "false", "spark.executorEnv.REGION": "eu"}
spark = build_session("local[1]", settings)
ours = score_udf(read_spec(sys.argv[1], signature=given))
print(spark.range(1).selectExpr("1D AS a").select(ours().prediction.alias("p")).first().p)
spark.stop()
"""


def test_a_variable_of_the_environment_reaches_the_model(tmp_path):
    """`spark.executorEnv.NAME` is what `spark_udf` calls `extra_env`; the driver's own is not."""

    def region(frame):
        import os

        return [os.environ.get("REGION", "none")] * len(frame)

    done = subprocess.run(
        [sys.executable, "-c", ENVIRONMENT, saved(region, tmp_path / "m")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "eu"
