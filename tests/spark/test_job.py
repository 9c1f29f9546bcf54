"""The main job, from its configuration to the stored result, and every way it can be refused."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from deltalake import DeltaTable
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from sparkml.config import load_config
from sparkml.errors import (
    ConfigError,
    JobFailed,
    ModelNotFound,
    NullInputError,
    QuarantineLimit,
    SignatureError,
    SinkError,
    SinkSchemaError,
    SourceError,
)
from sparkml.spark import run as runs

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.spark


class Quiet:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.stages: list[str] = []

    def stage(self, text: str) -> None:
        self.stages.append(text)

    def progress(self, done: int, total: int, failed: int) -> None:
        assert 0 <= done <= total
        assert failed >= 0

    def close(self) -> None:
        self.stages.append("closed")


@pytest.fixture
def wine(spark, demo, tmp_path):
    """A configuration of the wine job in a folder of its own; `go(**changes)` runs it."""
    trained, uri = demo
    table = trained["wine"].features.copy()
    table.insert(0, "id", range(len(table)))
    path = tmp_path / "wine"
    if not path.exists():
        spark.createDataFrame(table).write.format("delta").save(str(path))
    config = {
        "models": {"wine": {"uri": "models:/wine@champion"}},
        "registry": {"tracking_uri": uri},
        "source": {"format": "delta", "path": str(path)},
        "key": ["id"],
        "sink": {"format": "delta", "path": str(tmp_path / "scores")},
        "result": str(tmp_path / "result.json"),
    }

    def go(plan: bool = False, **changes):
        file = tmp_path / "job.yaml"
        file.write_text(yaml.safe_dump({**config, **changes}))
        loaded = load_config(str(file), env={})
        go.report = Quiet()
        return runs.plan(loaded) if plan else runs.run(loaded, report=go.report)

    go.config, go.home, go.model, go.table = config, tmp_path, trained["wine"].model, table
    return go


def files_in(folder: Path) -> set[str]:
    """Every file under a folder."""
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_the_table_holds_every_row_once_with_the_library_s_scores(wine, spark):
    """Read back by Spark and by a second engine; counts, provenance and result file agree."""
    outcome = wine()

    expected = wine.model.predict(wine.table.drop(columns="id"))
    rows = spark.read.format("delta").load(outcome.table).orderBy("id").collect()
    assert wine.table["id"].tolist() == [r.id for r in rows]
    assert expected.tolist() == [r.wine.prediction for r in rows]
    np.testing.assert_allclose(
        [r.wine.probability for r in rows],
        wine.model.predict_proba(wine.table.drop(columns="id")),
        rtol=1e-12,
    )
    digests = {r.provenance.models.wine.digest for r in rows}
    assert {outcome.models[0]["digest"]} == digests
    assert {"models:/wine/1"} == {r.provenance.models.wine.uri for r in rows}
    second = DeltaTable(outcome.table).to_pyarrow_table()
    assert sorted(second.column("id").to_pylist()) == wine.table["id"].tolist()
    assert (outcome.rows, outcome.scored, outcome.quarantined) == (178, 178, 0)
    result = json.loads((wine.home / "result.json").read_text())
    assert ("ok", 178, 0) == (result["status"], result["rows"], result["table_version"])


def test_replacing_leaves_only_the_new_rows(wine, spark):
    """A second run of a replacing job is a new version with the same rows."""
    wine()

    outcome = wine(source={**wine.config["source"], "where": "id < 10"})

    assert outcome.table_version == 1
    assert spark.read.format("delta").load(outcome.table).count() == 10


def test_appending_with_a_run_key_happens_once(wine, spark):
    """The same key again scores nothing; another key appends."""
    sink = {**wine.config["sink"], "mode": "append", "run_key": "monday"}
    wine(sink=sink)

    again = wine(sink=sink)
    other = wine(sink={**sink, "run_key": "tuesday"})

    assert again.already_done
    assert not other.already_done
    assert spark.read.format("delta").load(other.table).count() == 2 * 178


def test_a_partition_is_replaced_and_its_neighbours_stay(wine, spark):
    """Two days side by side; the second day scored again replaces itself alone."""
    for day, where in (("d1", "id < 5"), ("d2", "id < 50"), ("d2", "id < 7")):
        sink = {**wine.config["sink"], "partition": {"day": day}}
        step = [{"column": "day", "expr": f"'{day}'"}]
        source = {**wine.config["source"], "where": where}
        outcome = wine(sink=sink, source=source, steps=step, keep=["day"])

    counts = spark.read.format("delta").load(outcome.table).groupBy("day").count().collect()
    assert {"d1": 5, "d2": 7} == {r.day: r["count"] for r in counts}


def test_steps_run_before_the_model_and_columns_are_renamed(wine, spark):
    """A step may replace a feature; `rename` names the output."""
    outcome = wine(
        steps=[
            {"column": "double_hue", "expr": "hue * 2"},
            {"column": "hue", "expr": "double_hue / 2"},
        ],
        keep=["double_hue"],
        rename={"double_hue": "hue2", "wine": "verdict"},
    )

    row = spark.read.format("delta").load(outcome.table).filter("id = 0").first()
    assert ["id", "hue2", "verdict", "error", "provenance"] == row.__fields__
    assert row.hue2 == 2 * wine.table["hue"][0]
    assert row.verdict.prediction == wine.model.predict(wine.table.drop(columns="id"))[0]


def test_rows_over_the_quarantine_limit_fail_the_run_and_commit_nothing(wine):
    """The table is not even created, and no file is left."""
    step = [{"column": "hue", "expr": "CASE WHEN id % 10 = 0 THEN null ELSE hue END"}]

    with pytest.raises(QuarantineLimit, match=r"18 of 178 rows \(10.11%\)") as error:
        wine(steps=step)

    assert set() == files_in(wine.home / "scores") if (wine.home / "scores").exists() else True
    assert error.value.exit_status == 5
    assert "QUARANTINE_LIMIT" in (wine.home / "result.json").read_text()


def test_rows_within_the_limit_are_stored_with_their_errors(wine, spark):
    """Good and bad rows are one commit."""
    step = [{"column": "hue", "expr": "CASE WHEN id % 10 = 0 THEN null ELSE hue END"}]

    outcome = wine(steps=step, max_quarantine=0.5)

    bad = spark.read.format("delta").load(outcome.table).filter("error IS NOT NULL").collect()
    assert (18, 160) == (outcome.quarantined, outcome.scored)
    assert {("NULL_INPUT", "hue")} == {(r.error.code, r.error.column) for r in bad}
    assert {i for i in range(178) if i % 10 == 0} == {r.id for r in bad}


def test_an_empty_source_makes_an_empty_table_with_the_schema(wine, spark):
    """No rows is a result too."""
    outcome = wine(source={**wine.config["source"], "where": "false"})

    assert (0, 0) == (outcome.rows, outcome.table_version)
    stored = spark.read.format("delta").load(outcome.table)
    assert ["id", "wine", "error", "provenance"] == stored.columns
    assert stored.count() == 0


def test_a_result_file_that_cannot_be_written_is_known_before_anything_is_committed(wine):
    """The outcome must have somewhere to go."""
    (wine.home / "file").write_text("")

    with pytest.raises(SinkError, match="result file"):
        wine(result=str(wine.home / "file" / "result.json"))
    assert not (wine.home / "scores").exists()


def test_a_plan_says_all_and_does_nothing(wine):
    """Models, casts, output, sink and the config's origins; no file is made."""
    before = files_in(wine.home) | {"job.yaml"}

    plan = wine(plan=True)

    assert before == files_in(wine.home)
    text = plan.text()
    told = ("models:/wine/1", "alcohol", "exact", "sink.path", "job.yaml:", "struct<prediction:")
    for said in told:
        assert said in text
    assert json.loads(json.dumps(plan.to_json()))["models"][0]["column"] == "wine"


@pytest.mark.parametrize("kind", ["parquet", "csv", "table"])
def test_spark_s_own_sinks_hold_the_same_rows(wine, spark, kind):
    """Parquet, CSV and a catalog table, replaced by a second run."""
    where = {"table": "scores_of_wine"} if kind == "table" else {"path": str(wine.home / kind)}
    for _ in range(2):
        outcome = wine(sink={"format": kind, "mode": "replace", **where})

    if kind == "table":
        stored = spark.read.table("scores_of_wine")
    else:
        stored = spark.read.option("header", True).format(kind).load(str(wine.home / kind))
    label = "wine_prediction" if kind == "csv" else "wine.prediction"
    got = {int(r[0]): r[1] for r in stored.select("id", label).collect()}
    assert dict(enumerate(wine.model.predict(wine.table.drop(columns="id")).tolist())) == got
    assert outcome.rows == 178
    spark.sql("DROP TABLE IF EXISTS scores_of_wine")


def test_csv_parquet_table_and_sql_sources_are_the_same_rows(wine, spark):
    """However the rows come, the labels are the same."""
    wine.table.to_csv(wine.home / "wine.csv", sep=";", index=False)
    pq.write_table(pa.Table.from_pandas(wine.table), wine.home / "wine.parquet")
    spark.createDataFrame(wine.table).createOrReplaceTempView("wine_view")
    types = ", ".join(f"`{c}` DOUBLE" for c in wine.table.columns[1:])
    csv = {"format": "csv", "path": str(wine.home / "wine.csv"), "options": {"sep": ";"}}
    sources = [
        csv,
        {**csv, "schema": f"id INT, {types}"},
        {"format": "parquet", "path": str(wine.home / "wine.parquet")},
        {"format": "table", "table": "wine_view"},
        {
            "format": "sql",
            "query": "SELECT w.* FROM w JOIN n ON w.id = n.id",
            "views": {"w": wine.config["source"], "n": csv},
        },
    ]
    expected = wine.model.predict(wine.table.drop(columns="id")).tolist()

    for source in sources:
        outcome = wine(source=source)
        stored = spark.read.format("delta").load(outcome.table).orderBy("id").collect()
        assert expected == [r.wine.prediction for r in stored], source["format"]
        # CSV infers int ids, Delta has longs: each source its own table
        shutil.rmtree(outcome.table)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"models": {"wine": {"uri": "models:/wine@nobody"}}}, ModelNotFound, "nobody"),
        ({"models": {"wine": {"uri": "models:/whine@champion"}}}, ModelNotFound, "whine"),
        ({"source": {"format": "delta", "path": "/no/such/table"}}, SourceError, "source.path"),
        ({"source": {"format": "parquet", "path": "/no/such"}}, SourceError, "source.path"),
        ({"source": {"format": "table", "table": "no_such"}}, SourceError, "no_such"),
        ({"source": {"format": "sql", "query": "SELEC 1"}}, SourceError, "source.query"),
        ({"key": ["idd"]}, SignatureError, "did you mean 'id'"),
        ({"keep": ["no such"]}, SignatureError, "'no such'"),
        ({"rename": {"nope": "x"}, "keep": "*"}, ConfigError, "no output column 'nope'"),
        ({"steps": [{"column": "x", "expr": "no_col + 1"}]}, ConfigError, "steps[0] (x)"),
        ({"steps": [{"column": "hue", "expr": "'red'"}]}, SignatureError, "'hue' is string"),
    ],
)
def test_what_is_wrong_is_refused_before_any_task(wine, changes, error, said):
    """The right error, the place, and neither a task nor a file."""
    with pytest.raises(error) as raised:
        wine(**changes)

    assert said in str(raised.value)
    assert not any(stage.startswith("scoring") for stage in wine.report.stages)
    assert not (wine.home / "scores").exists()
    assert json.loads((wine.home / "result.json").read_text())["error"]["code"] == error.code


def test_where_and_columns_are_checked(wine):
    """A predicate that does not parse and a column that is not there name their key."""
    with pytest.raises(ConfigError, match=r"source\.where"):
        wine(source={**wine.config["source"], "where": "id <"})
    with pytest.raises(ConfigError, match=r"source\.columns"):
        wine(source={**wine.config["source"], "columns": ["idd"]})


def test_an_unreadable_csv_names_the_trouble_and_commits_nothing(wine):
    """A line that does not fit the declared schema fails the job; nothing is read as null."""
    (wine.home / "bad.csv").write_text("id,hue\n1,red\n")
    source = {"format": "csv", "path": str(wine.home / "bad.csv"), "schema": "id INT, hue DOUBLE"}
    others = [{"column": c, "expr": "1.0D"} for c in wine.table.columns if c not in ("id", "hue")]

    with pytest.raises(SourceError):
        wine(source=source, steps=others)
    assert not (wine.home / "scores").exists() or not files_in(wine.home / "scores")


def test_a_null_under_the_policy_fail_ends_the_job_with_its_own_error(wine):
    """A worker's error reaches the driver as what it is."""
    step = [{"column": "hue", "expr": "CAST(null AS DOUBLE)"}]
    models = {"wine": {"uri": "models:/wine@champion", "nulls": "fail"}}

    with pytest.raises(NullInputError, match="no value in 'hue'"):
        wine(steps=step, models=models)


def test_a_failing_expression_is_a_failed_job_in_one_line(wine):
    """Spark's own runtime errors are told without the plan and the trace."""
    step = [{"column": "hue", "expr": "CAST(raise_error('boom') AS DOUBLE)"}]

    with pytest.raises(JobFailed, match="boom") as error:
        wine(steps=step)
    assert "\n" not in error.value.line()


def test_a_new_output_is_refused_or_merged_as_declared(wine, spark):
    """A second model's column is refused, or added where the sink says merge."""
    wine()
    two = {
        "wine": {"uri": "models:/wine@champion"},
        "challenger": {"uri": "models:/wine@champion"},
    }

    with pytest.raises(SinkSchemaError, match="challenger"):
        wine(models=two)
    outcome = wine(models=two, sink={**wine.config["sink"], "schema": "merge"})

    assert "challenger" in spark.read.format("delta").load(outcome.table).columns


def test_a_file_in_the_way_of_the_output_is_an_error(wine):
    """For every sink that has a path."""
    (wine.home / "scores").write_text("in the way")

    for kind in ("delta", "parquet", "csv"):
        with pytest.raises(SinkError):
            wine(sink={"format": kind, "path": str(wine.home / "scores")})
    assert (wine.home / "scores").read_text() == "in the way"


def test_a_model_without_names_takes_the_job_s_columns_in_its_order(wine, spark):
    """The error for a job that does not name them says how; the job then scores."""
    two = wine.table[["hue", "alcohol"]].to_numpy()
    model = DecisionTreeClassifier(max_depth=3).fit(two, wine.table["alcohol"] > 13)
    joblib.dump(model, wine.home / "array.joblib")
    entry = {"uri": str(wine.home / "array.joblib")}
    with pytest.raises(SignatureError, match=r"inputs: \[…\] of the job's model"):
        wine(models={"array": entry})
    wine(models={"array": {**entry, "inputs": ["hue", "alcohol"]}})
    made = DeltaTable(wine.config["sink"]["path"]).to_pandas().sort_values("id")
    assert [row["prediction"] for row in made["array"]] == model.predict(two).tolist()


def test_a_plan_says_what_becomes_of_an_absent_column(wine):
    """One that the model does not require: by its null policy."""
    model = HistGradientBoostingClassifier(max_iter=3)
    frame = wine.table[["hue", "alcohol"]].rename(columns={"alcohol": "strength"})
    joblib.dump(model.fit(frame, frame["strength"] > 13), wine.home / "holes.joblib")
    entry = {
        "uri": str(wine.home / "holes.joblib"),
        "signature": "hue: double, strength: double?",
    }
    told = {
        None: "null: the model decides",
        "quarantine": "null: every row is quarantined",
        "propagate": "null: no row has a score",
        "fail": "null: the job fails",
    }
    for policy, becomes in told.items():
        plan = wine(plan=True, models={"holes": {**entry, "nulls": policy}})
        assert plan.inputs[1] == {
            "model": "holes",
            "column": "strength",
            "is": "absent",
            "becomes": "double",
            "cast": becomes,
        }
    filled = {"strength": {"fill": 12.5}}
    plan = wine(plan=True, models={"holes": {**entry, "nulls": filled}})
    assert plan.inputs[1]["cast"] == "12.5 on every row"


def test_types_that_no_model_tells_are_the_table_s(wine, spark):
    """A function of somebody's stands first in the model: the plan and the result say so."""
    frame = wine.table[["hue", "alcohol"]]
    model = make_pipeline(FunctionTransformer(pd.get_dummies), DecisionTreeClassifier(max_depth=3))
    joblib.dump(model.fit(frame, frame["alcohol"] > 13), wine.home / "open.joblib")
    models = {"open": {"uri": str(wine.home / "open.joblib")}}
    plan = wine(plan=True, models=models)
    assert [(row["column"], row["is"], row["becomes"], row["cast"]) for row in plan.inputs] == [
        (name, "double", "double", "the table's own type, as the model tells none")
        for name in frame
    ]
    outcome = wine(models=models)
    types = {"open": {"hue": "double", "alcohol": "double"}}
    assert outcome.types == types
    assert json.loads((wine.home / "result.json").read_text())["types"] == types
    made = DeltaTable(wine.config["sink"]["path"]).to_pandas().sort_values("id")
    assert [row["prediction"] for row in made["open"]] == model.predict(frame).tolist()
