"""One model per key: ours beside `applyInPandas` and a pickle a key; trained, then scored.

python -m benchmarks.many_models                                  2,000 keys × 1,000 rows, 3 rounds
python -m benchmarks.many_models --keys 100 --rounds 1 --out /tmp/quick.json

The same estimators on the same rows; training stores every model, scoring goes to Spark's no-op
sink. The figures go into `many_models` of the JSON file, beside those of `benchmarks.run`.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame, SparkSession

HOME = Path(".cache/benchmarks")
RESULTS = Path("benchmarks/results.json")
FEATURES = [f"f{i}" for i in range(8)]
FILES = 8
DEPTH = 5
OURS, CLUSTERED = "sparkml", "sparkml, cluster_by_key"
PEER = "applyInPandas, a pickle a key"


def table_folder(home: Path, keys: int, rows: int) -> Path:
    """A Parquet folder of `rows` rows for each of `keys` keys, in no order; made when absent."""
    folder = home / f"keyed-{keys}x{rows}"
    if (folder / "_READY").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(11)
    every = random.permutation(np.repeat(np.arange(keys, dtype=np.int64), rows))
    for number, key in enumerate(np.array_split(every, FILES)):
        x = random.normal(size=(len(key), len(FEATURES)))
        y = x[:, 0] * (key % 7) + np.abs(x[:, 1]) + random.normal(scale=0.1, size=len(key))
        columns = dict(zip(FEATURES, x.T, strict=True))
        table = pa.table({"key": key, **columns, "y": y})
        pq.write_table(table, folder / f"part-{number}.parquet", use_dictionary=["key"])
    (folder / "_READY").touch()
    return folder


def train_ours(df: DataFrame, folder: Path) -> None:
    """`train_many`: one artifact."""
    from sparkml.spark.training.train_many import train_many

    train_many(
        df,
        key="key",
        label="y",
        features=FEATURES,
        estimator="sklearn.tree:DecisionTreeRegressor",
        params={"max_depth": DEPTH},
        output=folder,
    )


def train_peer(df: DataFrame, folder: Path) -> None:
    """`applyInPandas`, written by hand: each group's model pickled into a file of its own."""
    import pandas as pd

    folder.mkdir(parents=True)
    path = str(folder)

    def fit(rows: pd.DataFrame) -> pd.DataFrame:
        import cloudpickle
        from sklearn.tree import DecisionTreeRegressor

        key = rows["key"].iloc[0]
        model = DecisionTreeRegressor(max_depth=DEPTH, random_state=0)
        model.fit(rows[FEATURES], rows["y"])
        with Path(path, f"{key}.pkl").open("wb") as file:
            cloudpickle.dump(model, file)
        return pd.DataFrame({"key": [key]})

    df.groupBy("key").applyInPandas(fit, "key long").count()


def score_ours(df: DataFrame, folder: Path) -> None:
    """`score_by_key`: no shuffle, each task's rows sorted."""
    from sparkml.spark.keyed import score_by_key

    _noop(score_by_key(df, _spec(folder), key="key", keep=[]))


def score_clustered(df: DataFrame, folder: Path) -> None:
    """`score_by_key`, the rows of a key brought together first."""
    from sparkml.spark.keyed import score_by_key

    _noop(score_by_key(df, _spec(folder), key="key", keep=[], cluster_by_key=True))


def score_peer(df: DataFrame, folder: Path) -> None:
    """`applyInPandas`, written by hand: each group opens its pickle."""
    import pandas as pd

    path = str(folder)

    def predict(rows: pd.DataFrame) -> pd.DataFrame:
        import cloudpickle

        with Path(path, f"{rows['key'].iloc[0]}.pkl").open("rb") as file:
            model = cloudpickle.load(file)
        return pd.DataFrame({"key": rows["key"], "prediction": model.predict(rows[FEATURES])})

    _noop(df.groupBy("key").applyInPandas(predict, "key long, prediction double"))


TRAINING: dict[str, Callable[[DataFrame, Path], None]] = {OURS: train_ours, PEER: train_peer}
SCORING: dict[str, tuple[str, Callable[[DataFrame, Path], None]]] = {
    OURS: (OURS, score_ours),
    CLUSTERED: (OURS, score_clustered),
    PEER: (PEER, score_peer),
}
"""Name -> whose models it scores with, and the run."""


def _noop(df: DataFrame) -> None:
    df.write.format("noop").mode("overwrite").save()


def _spec(folder: Path) -> Any:
    from sparkml import read_spec

    return read_spec(str(folder), name="model", environment="ignore")


def _session() -> SparkSession:
    from sparkml.spark.session import build_session

    conf = {"spark.ui.enabled": "false", "spark.driver.memory": "4g"}
    return build_session("local[*]", conf, tuned=True)


def measure(
    home: Path, *, keys: int, rows: int = 1_000, rounds: int = 3, warm_ups: int = 1
) -> dict[str, Any]:
    """The seconds of each contender's counted runs, trained and scored, interleaved."""
    spark = _session()
    df = spark.read.parquet(str(table_folder(home, keys, rows)))
    models = {name: home / f"keyed-models-{i}" for i, name in enumerate(TRAINING)}
    seconds: dict[str, dict[str, list[float]]] = {
        "train": {name: [] for name in TRAINING},
        "score": {name: [] for name in SCORING},
    }
    for round_ in range(1 - warm_ups, rounds + 1):
        for name, train in TRAINING.items():
            shutil.rmtree(models[name], ignore_errors=True)
            _time(seconds["train"][name], f"train, {name}", round_, train, df, models[name])
        for name, (whose, score) in SCORING.items():
            _time(seconds["score"][name], f"score, {name}", round_, score, df, models[whose])
    spark.stop()
    return {"keys": keys, "rows": rows, "rounds": rounds, "seconds": seconds}


def bench(
    keys: Annotated[int, typer.Option(help="Keys.")] = 2_000,
    rows: Annotated[int, typer.Option(help="Rows of each key.")] = 1_000,
    rounds: Annotated[int, typer.Option(help="Counted runs of each contender.")] = 3,
    out: Annotated[Path, typer.Option(help="The JSON file that gets the figures.")] = RESULTS,
    home: Annotated[Path, typer.Option(help="Where table and models are kept.")] = HOME,
) -> None:
    """Compare; print the table and add the figures to the file."""
    measured = measure(home.absolute(), keys=keys, rows=rows, rounds=rounds)
    figures = json.loads(out.read_text()) if out.exists() else {}
    out.write_text(json.dumps({**figures, "many_models": measured}, indent=2) + "\n")
    print(render(measured))


def _time(
    times: list[float],
    what: str,
    round_: int,
    run: Callable[[DataFrame, Path], None],
    df: DataFrame,
    folder: Path,
) -> None:
    started = time.perf_counter()
    run(df, folder)
    taken = time.perf_counter() - started
    label = f"round {round_}" if round_ > 0 else "warm-up"
    print(f"{label}  {what}: {taken:.2f} s", file=sys.stderr)
    if round_ > 0:
        times.append(taken)


def render(figures: dict[str, Any]) -> str:
    """Thousand rows per second of each way, trained and scored, and ours over the peer's."""
    total = figures["keys"] * figures["rows"]
    seconds = figures["seconds"]
    lines = ["| one model per key, thousand rows/s | train | score |", "|---|--:|--:|"]
    for way in (OURS, CLUSTERED, PEER):
        cells = [
            f"{total / median(seconds[stage][way]) / 1_000:,.0f}" if way in seconds[stage] else ""
            for stage in ("train", "score")
        ]
        label = f"**{way}**" if way.startswith(OURS) else way
        lines.append(f"| {label} | {' | '.join(cells)} |")
    ratios = [_ratio(seconds[stage], PEER, OURS) for stage in ("train", "score")]
    lines.append(f"| ours ÷ `applyInPandas` | {' | '.join(f'{r:.2f}' for r in ratios)} |")
    note = (
        f"{figures['keys']:,} keys × {figures['rows']:,} rows × {len(FEATURES)} doubles in no "
        f"order, a decision tree of depth {DEPTH} for each key, medians of {figures['rounds']} "
        "interleaved rounds. Ours is one artifact, the other a file for each key."
    )
    return "\n".join([*lines, "", note])


def _ratio(times: dict[str, list[float]], a: str, b: str) -> float:
    return median(x / y for x, y in zip(times[a], times[b], strict=True))


if __name__ == "__main__":
    typer.run(bench)
