"""A wide table: ours beside a plain `mapInArrow` over the same columns, interleaved, medians.

python -m benchmarks.wide                     2,000 features, 50,000 rows, 3 rounds
python -m benchmarks.wide --rows 200000 --rounds 5
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pyspark.sql import DataFrame, SparkSession

HOME = Path(".cache/benchmarks")
ROWS_A_FILE = 10_000


def table_folder(home: Path, rows: int, width: int) -> Path:
    """A Parquet folder of `id` and `width` normal doubles; made when absent."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = home / f"wide-{rows}-{width}"
    if (folder / "_READY").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    for start in range(0, rows, ROWS_A_FILE):
        count = min(ROWS_A_FILE, rows - start)
        columns: dict[str, Any] = {"id": np.arange(count) + start}
        columns |= {name: random.normal(size=count) for name in names_of(width)}
        file = folder / f"part-{start}.parquet"
        pq.write_table(pa.table(columns), file, use_dictionary=False)
    (folder / "_READY").touch()
    return folder


def names_of(width: int) -> list[str]:
    """The features' names."""
    return [f"feature_{i:04d}" for i in range(width)]


def model_file(home: Path, width: int) -> Path:
    """A linear model of all features, as joblib writes it."""
    import joblib
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LinearRegression

    random = np.random.default_rng(3)
    table = pd.DataFrame(random.normal(size=(200, width)), columns=names_of(width))
    home.mkdir(parents=True, exist_ok=True)
    joblib.dump(LinearRegression().fit(table, table.sum(axis=1)), home / f"wide-{width}.joblib")
    return home / f"wide-{width}.joblib"


def ours(df: DataFrame, model: Path, width: int) -> DataFrame:
    """`score` with the key."""
    from sparkml import read_spec, score

    assert width
    return score(df, read_spec(str(model)), key="id", keep=[])


def plain(df: DataFrame, model: Path, width: int) -> DataFrame:
    """What a user would write: the columns into pandas, the model's `predict`, the key beside."""
    names, path = names_of(width), str(model)

    def run(batches: Iterable[Any]) -> Iterable[Any]:
        import joblib
        import pyarrow as pa

        predict = joblib.load(path).predict
        for batch in batches:
            scores = pa.array(predict(batch.select(names).to_pandas()))
            yield pa.RecordBatch.from_arrays([batch.column("id"), scores], names=["id", "score"])

    return df.select("id", *names).mapInArrow(run, "id BIGINT, score DOUBLE")


WAYS: dict[str, Callable[[DataFrame, Path, int], DataFrame]] = {
    "plain mapInArrow": plain,
    "sparkml": ours,
}


def seconds(spark: SparkSession, way: str, table: Path, model: Path, width: int) -> float:
    """The wall time of one run, its planning included, to Spark's no-op sink."""
    df = spark.read.parquet(str(table))
    started = time.perf_counter()
    WAYS[way](df, model, width).write.format("noop").mode("overwrite").save()
    return time.perf_counter() - started


def bench(
    rows: Annotated[int, typer.Option(help="Rows of the table.")] = 50_000,
    width: Annotated[int, typer.Option(help="Features of the model.")] = 2_000,
    rounds: Annotated[int, typer.Option(help="Counted runs of each; one more warms up.")] = 3,
    home: Annotated[Path, typer.Option(help="Where table and model are kept.")] = HOME,
) -> None:
    """Compare, and print medians and their quotient."""
    from sparkml.spark.session import build_session

    table, model = table_folder(home.absolute(), rows, width), model_file(home.absolute(), width)
    conf = {"spark.ui.enabled": "false", "spark.driver.memory": "4g"}
    spark = build_session("local[*]", conf)
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for round_ in range(rounds + 1):
        for way in WAYS:
            taken = seconds(spark, way, table, model, width)
            print(f"round {round_}  {way}: {taken:.2f} s", file=sys.stderr)
            if round_:
                times[way].append(taken)
    spark.stop()
    medians = {way: statistics.median(taken) for way, taken in times.items()}
    for way, taken in medians.items():
        print(f"{way}: {taken:.2f} s, {rows / taken:,.0f} rows/s")
    print(f"sparkml / plain: {medians['sparkml'] / medians['plain mapInArrow']:.2f}")


if __name__ == "__main__":
    typer.run(bench)
