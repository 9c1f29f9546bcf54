"""The ways of scoring that are compared, each as a user of it would write it."""

from __future__ import annotations

import shutil
import uuid
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.data import FEATURES, load_native

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame, SparkSession

EMPTY_TASKS = 80


def _noop(df: DataFrame) -> None:
    df.write.format("noop").mode("overwrite").save()


def _frame(spark: SparkSession, table: Path) -> DataFrame:
    return spark.read.parquet(str(table))


def sparkml_noop(spark: SparkSession, table: Path, model: Path) -> None:
    """Label and probability of each row, to Spark's no-op sink."""
    from sparkml import score

    _noop(score(_frame(spark, table), _spec(model), key="id", keep=[]))


def sparkml_delta(spark: SparkSession, table: Path, model: Path) -> None:
    """The same, counted and committed to a new Delta table, as the job does."""
    from sparkml.config import DeltaSink
    from sparkml.spark.provenance import Provenance
    from sparkml.spark.score import ScorePlan
    from sparkml.spark.sinks import open_sink

    spec = _spec(model)
    df = _frame(spark, table)
    target = table.parent / f"delta-{uuid.uuid4().hex}"
    plan = ScorePlan(df, (spec,), ["id"], where="benchmark")
    provenance = Provenance.of((spec,), "benchmark")
    sink = open_sink(spark, DeltaSink(format="delta", path=str(target)), plan.schema, provenance)
    sink.write(df, plan, plan.task(batch_rows=None, tuned=True), max_quarantine=0.0)
    shutil.rmtree(target)


def mlflow_spark_udf(spark: SparkSession, table: Path, model: Path) -> None:
    """`mlflow.pyfunc.spark_udf` as its documentation has it: the label, its type inferred."""
    import mlflow
    from pyspark.sql import functions as F  # noqa: N812

    udf = mlflow.pyfunc.spark_udf(spark, model_uri=str(model))
    _noop(_frame(spark, table).select("id", udf(F.struct(*FEATURES)).alias("prediction")))


def mlflow_spark_udf_typed(spark: SparkSession, table: Path, model: Path) -> None:
    """The same, told what an integer label is and given the columns one by one: its fastest way."""
    import mlflow

    udf = mlflow.pyfunc.spark_udf(spark, model_uri=str(model), result_type="long")
    _noop(_frame(spark, table).select("id", udf(*FEATURES).alias("prediction")))


def predict_batch_udf(spark: SparkSession, table: Path, model: Path) -> None:
    """PySpark's `predict_batch_udf`: the label alone."""
    from pyspark.ml.functions import predict_batch_udf as make
    from pyspark.sql import functions as F  # noqa: N812
    from pyspark.sql.types import LongType

    path = str(model)

    def load() -> Callable[[Any], Any]:
        predict = load_native(Path(path))
        # PySpark counts the parameters of what it is given: exactly one here.
        return lambda inputs: predict(inputs)  # noqa: PLW0108

    udf = make(
        load, return_type=LongType(), batch_size=10_000, input_tensor_shapes=[[len(FEATURES)]]
    )
    _noop(_frame(spark, table).select("id", udf(F.array(*FEATURES)).alias("prediction")))


def pandas_udf(spark: SparkSession, table: Path, model: Path) -> None:
    """A plain iterator `pandas_udf` on a struct, written by hand: the label alone."""
    from collections.abc import Iterator

    import pandas as pd
    from pyspark.sql import functions as F  # noqa: N812

    path = str(model)

    def predict(batches: Iterator[pd.DataFrame]) -> Iterator[pd.Series]:
        native = load_native(Path(path))
        for batch in batches:
            yield pd.Series(native(batch))

    predict.__annotations__ = {"batches": Iterator[pd.DataFrame], "return": Iterator[pd.Series]}
    udf = F.pandas_udf(predict, "long")
    _noop(_frame(spark, table).select("id", udf(F.struct(*FEATURES)).alias("prediction")))


def empty_tasks_sparkml(spark: SparkSession, table: Path, model: Path) -> None:
    """Eighty tasks of ours that score nothing."""
    from sparkml import score

    _noop(score(_empty(spark), _known_spec(model), key="id", keep=[]))


def empty_tasks_pandas_udf(spark: SparkSession, table: Path, model: Path) -> None:
    """Eighty tasks of a `pandas_udf` that score nothing."""
    import pandas as pd
    from pyspark.sql import functions as F  # noqa: N812

    def same(values: pd.Series) -> pd.Series:
        import sklearn.ensemble  # noqa: F401 - what a worker that scores has imported

        return values

    same.__annotations__ = {"values": pd.Series, "return": pd.Series}
    _noop(_empty(spark).select(F.pandas_udf(same, "double")("f00")))


def empty_tasks_jvm(spark: SparkSession, table: Path, model: Path) -> None:
    """Eighty tasks without Python."""
    _noop(_empty(spark))


def _empty(spark: SparkSession) -> DataFrame:
    from pyspark.sql import functions as F  # noqa: N812

    rows = spark.range(0, EMPTY_TASKS, 1, EMPTY_TASKS).filter("id < 0")
    return rows.select("id", *[F.rand().alias(name) for name in FEATURES])


@cache
def _known_spec(model: Path) -> Any:
    return _spec(model)


def _spec(model: Path) -> Any:
    from sparkml import read_spec

    return read_spec(str(model), name="model", environment="ignore")


CONTENDERS: dict[str, tuple[str, Callable[[SparkSession, Path, Path], None]]] = {
    "sparkml, no-op sink": ("ours", sparkml_noop),
    "sparkml, into Delta": ("ours", sparkml_delta),
    "mlflow.pyfunc.spark_udf": ("stock", mlflow_spark_udf),
    "mlflow.pyfunc.spark_udf, result_type='long'": ("stock", mlflow_spark_udf_typed),
    "predict_batch_udf": ("stock", predict_batch_udf),
    "pandas_udf": ("stock", pandas_udf),
}
"""Name -> whose session it runs in (that of our entry points, or Spark's own), and the run."""

NOT_FOR = {
    "ONNX": {"mlflow.pyfunc.spark_udf", "mlflow.pyfunc.spark_udf, result_type='long'"},
}
"""Model -> ways that raise for it: MLflow 3.17 finds no column of the label's type."""

TASK_COSTS: dict[str, tuple[str, Callable[[SparkSession, Path, Path], None]]] = {
    "sparkml": ("ours", empty_tasks_sparkml),
    "pandas_udf": ("stock", empty_tasks_pandas_udf),
    "JVM only": ("ours", empty_tasks_jvm),
}
"""Name -> session and run, for the cost of a task that scores nothing."""
