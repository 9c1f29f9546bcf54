"""A job for the tests of sinks: the halves of four numbers; the third is missing, so it fails."""

from __future__ import annotations

from types import MappingProxyType

import joblib
import pandas as pd
import yaml
from sklearn.linear_model import LinearRegression

from sparkml.config import load_config
from sparkml.spark import run as runs
from tests.quiet import Silent

NUMBERS = [0.5, 1.0, None, 2.0]
NOTHING = MappingProxyType({})
ROWS = [(0, 0.25), (1, 0.5), (2, None), (3, 1.0)]


def job_into(table, folder):
    """`go(**changes of the sink)` runs the job into a table of the catalog."""
    x = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
    joblib.dump(LinearRegression().fit(x, x["x"] / 2), folder / "m.joblib")
    rows = pd.DataFrame({"id": range(4), "x": pd.array(NUMBERS, "Float64")})
    rows.to_parquet(folder / "rows.parquet")

    parquet = {"format": "parquet", "path": str(folder / "rows.parquet")}

    def go(
        *,
        plan=False,
        limit=0.25,
        rename=None,
        meanwhile=None,
        source=MappingProxyType({}),
        keep=(),
        **sink,
    ):
        config = {
            "models": {"half": {"uri": str(folder / "m.joblib")}},
            "source": source if "format" in source else {**parquet, **source},
            "key": ["id"],
            "keep": list(keep),
            "rename": rename or {},
            "max_quarantine": limit,
            "sink": {"format": "table", "table": table, **sink},
        }
        path = folder / "job.yaml"
        path.write_text(yaml.safe_dump(config))
        loaded = load_config(str(path), env={})
        return runs.plan(loaded) if plan else runs.run(loaded, report=Between(meanwhile))

    return go


class Between(Silent):
    """A reporter that does something once the sink is open and before its first task."""

    def __init__(self, act=None):
        self._act = act

    def stage(self, text):
        if self._act and text.startswith("scoring into"):
            self._act()


def stored(spark, table):
    """Each row's id and prediction."""
    rows = spark.read.table(table).select("id", "half.prediction").collect()
    return sorted((r[0], None if r.prediction is None else round(r.prediction, 6)) for r in rows)
