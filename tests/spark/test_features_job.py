"""The feature job, from its configuration to the stored table, and every way it can be refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from deltalake import DeltaTable

from sparkml.config import FeaturesConfig, load_as
from sparkml.errors import ConfigError, JobFailed, SinkError, SinkSchemaError, SourceError
from sparkml.features.dates import month_as_int
from sparkml.features.text import normalise_text
from sparkml.spark import features_job
from tests.quiet import Silent
from tools.bank import generate

pytestmark = pytest.mark.spark

ROOT = Path(__file__).parents[2]
ROWS = pa.table(
    {
        "id": pa.array(range(5), pa.int64()),
        "month": ["may", " DEC", "Smarch", None, "sept"],
        "day": ["2024-05-06"] * 3 + ["2024-05-07"] * 2,
    }
)
NUMBERS = [5, 12, None, None, 9]
STEP = {"column": "n", "expr": "month_as_int(month)"}


def bad(expr):
    """A step that adds `x`."""
    return {"column": "x", "expr": expr}


RUN = partial(features_job.run, report=Silent())


@pytest.fixture
def months(spark, tmp_path):
    """A configuration in a folder of its own; `go(**changes)` runs it."""
    pq.write_table(ROWS, tmp_path / "months.parquet")
    config = {
        "source": {"format": "parquet", "path": str(tmp_path / "months.parquet")},
        "steps": [STEP],
        "sink": {"format": "delta", "path": str(tmp_path / "out")},
        "result": str(tmp_path / "result.json"),
    }

    def go(*, story=RUN, **changes):
        path = tmp_path / "job.yaml"
        path.write_text(yaml.safe_dump({**config, **changes}))
        return story(load_as(FeaturesConfig, path, env={}))

    go.home = tmp_path
    return go


def delta(path: Path) -> list[dict]:
    """The rows of a Delta table by their id, read without Spark."""
    table = DeltaTable(path).to_pyarrow_table()
    return table.sort_by("id").to_pylist()


def test_a_delta_table_holds_the_columns_and_the_features(months):
    """All of the source's and the step's; the result file and the outcome tell it."""
    computed = months()

    table = DeltaTable(months.home / "out")
    told = json.loads((months.home / "result.json").read_text())
    assert 0 == table.version()
    assert NUMBERS == [row["n"] for row in delta(months.home / "out")]
    assert ["id", "month", "day", "n"] == computed.columns == told["columns"]
    assert "ok" == told["status"]
    assert 5 == computed.rows == told["rows"]
    assert 3 == len(computed.sample)
    assert dict(computed.summary_rows())["query"].startswith("SELECT * FROM delta.")


def test_a_plan_says_all_and_does_nothing(months):
    """The columns, the sink, every value with its origin; what a run would refuse is refused."""
    plan = months(story=features_job.plan, keep=["id", "n"])

    assert [{"column": "id", "type": "bigint"}, {"column": "n", "type": "int"}] == plan.output
    assert str(months.home / "out") == plan.sink["where"]
    for said in (str(months.home / "out"), "bigint", "steps", "job.yaml:"):
        assert said in plan.text()
    assert json.loads(json.dumps(plan.to_json()))["source"].endswith("months.parquet")
    assert {"job.yaml", "months.parquet"} == {p.name for p in months.home.iterdir()}
    with pytest.raises(ConfigError, match="no column 'm'"):
        months(story=features_job.plan, keep=["m"])


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_files_hold_the_chosen_columns(spark, months, kind):
    """In the order of `keep`."""
    out = str(months.home / "files")

    months(keep=["n", "id"], sink={"format": kind, "path": out})

    rows = spark.read.options(header="true", inferSchema="true").format(kind).load(out)
    assert ["n", "id"] == rows.columns
    assert NUMBERS == [row.n for row in rows.sort("id").collect()]


def test_a_catalog_table(spark, months):
    """By its name."""
    try:
        months(sink={"format": "table", "table": "months_of_calls"})

        assert NUMBERS == [r.n for r in spark.table("months_of_calls").sort("id").collect()]
    finally:
        spark.sql("DROP TABLE IF EXISTS months_of_calls")


def test_steps_with_python_give_what_the_kernel_gives(months):
    """One step may use another's column; a step's column may replace one."""
    steps = [
        {"column": "month", "expr": "normalise_text(month)"},
        {"column": "words", "expr": "hashed_bag_of_words(month, width => 2)"},
        STEP,
    ]

    months(steps=steps)

    rows = delta(months.home / "out")
    normal = normalise_text(ROWS["month"].combine_chunks())
    assert normal.to_pylist() == [row["month"] for row in rows]
    assert month_as_int(normal).to_pylist() == [row["n"] for row in rows]
    assert [None, 2] == sorted({row["words"] and len(row["words"]) for row in rows}, key=str)[::-1]


def test_a_source_s_filter_and_query_may_use_features(months):
    """Wherever the configuration has SQL."""
    path = str(months.home / "months.parquet")
    where = "month_as_int(month) > 5"

    months(source={"format": "parquet", "path": path, "where": where})
    assert [1, 4] == [row["id"] for row in delta(months.home / "out")]

    view = {"calls": {"format": "parquet", "path": path}}
    query = f"SELECT * FROM calls WHERE {where}"
    months(source={"format": "sql", "query": query, "views": view})
    assert [1, 4] == [row["id"] for row in delta(months.home / "out")]


def test_a_run_replaces_appends_or_replaces_a_partition(months):
    """As the sink's mode says, one commit each."""
    out = months.home / "out"
    sink = {"format": "delta", "path": str(out), "partition_by": ["day"]}

    months(sink=sink)
    months(sink=sink)
    assert 5 == len(delta(out))
    months(sink={**sink, "mode": "append"})
    assert 10 == len(delta(out))
    where = {"where": "day = '2024-05-07'", "path": str(months.home / "months.parquet")}
    partition = {**sink, "partition": {"day": "2024-05-07"}}
    months(source={"format": "parquet", **where}, sink=partition)

    days = [row["day"] for row in delta(out)]
    assert [6, 2] == [days.count("2024-05-06"), days.count("2024-05-07")]
    assert 3 == DeltaTable(out).version()


def test_an_append_with_a_key_adds_its_rows_once(months):
    """However often the job runs."""
    out = months.home / "out"
    for key in ("monday", "monday", "tuesday"):
        months(sink={"format": "delta", "path": str(out), "mode": "append", "run_key": key})

    assert 10 == len(delta(out))


def test_rows_of_another_partition_are_refused(months):
    """Nothing is committed."""
    out = months.home / "out"
    sink = {"format": "delta", "path": str(out), "partition_by": ["day"]}
    months(sink=sink)

    with pytest.raises((JobFailed, SinkError), match=r"(?i)replaceWhere|constraint"):
        months(sink={**sink, "partition": {"day": "2024-05-07"}})

    assert 0 == DeltaTable(out).version()


def test_columns_that_the_table_lacks_are_refused_or_added(months):
    """As `sink.schema` says."""
    out = months.home / "out"
    months(keep=["id", "n"])
    more = {"format": "delta", "path": str(out), "mode": "append"}

    with pytest.raises(SinkSchemaError, match="month"):
        months(sink=more)
    months(sink={**more, "schema": "merge"})

    assert {"id", "n", "month", "day"} == set(delta(out)[0])


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"steps": [{**STEP, "expr": "month_as_in(month)"}]}, ConfigError, r"steps\[0\] \(n\)"),
        ({"steps": [{**STEP, "expr": "month_as_int("}]}, ConfigError, r"steps\[0\] \(n\)"),
        ({"steps": [STEP, {**STEP, "expr": "geohash(mnth, 1)"}]}, ConfigError, r"mnth.*steps\[1\]"),
        ({"steps": [{**STEP, "expr": "geohash(1, 2, precison => 3)"}]}, ConfigError, "precison"),
        ({"steps": [STEP, bad("geohash(1, 2, 13)")]}, ConfigError, r"of 13 char.*steps\[1\] \(x"),
        ({"steps": [bad("hashed_bag_of_words(month, WIDTH => 2 * 0)")]}, ConfigError, "width of 0"),
        ({"steps": [bad("upper(json_field(month, path => '$.*'))")]}, ConfigError, "is written"),
        ({"steps": [bad("1 + category_bucket(month, -3)")]}, ConfigError, "-3 buckets"),
        ({"steps": [bad("size(image_gray(null, width => -1))")]}, ConfigError, "-1 × 28"),
        ({"steps": []}, ConfigError, "steps"),
        ({"keep": ["id", "m"]}, ConfigError, "no column 'm'"),
        ({"source": {"format": "parquet", "path": "nowhere"}}, SourceError, "nowhere"),
        ({"models": {}}, ConfigError, "models"),
    ],
)
def test_what_is_wrong_is_said_before_a_job_starts(months, changes, error, said):
    """With the key, and in the result file where the configuration could be read."""
    with pytest.raises(error, match=said):
        months(**changes)

    assert not (months.home / "out").exists()


def test_a_value_that_cannot_be_computed_fails_the_job(months):
    """Spark's own message, the result file, and nothing in the table."""
    steps = [{"column": "n", "expr": "geohash(1, 2, precision => int(id))"}]

    with pytest.raises(JobFailed, match="precision is 1 to 12"):
        months(steps=steps)

    told = json.loads((months.home / "result.json").read_text())
    assert ("error", "JOB_FAILED") == (told["status"], told["error"]["code"])
    assert not DeltaTable.is_deltatable(str(months.home / "out"))


def test_a_table_is_not_replaced_while_it_is_read(months):
    """The source as the sink."""
    path = str(months.home / "months.parquet")

    with pytest.raises(ConfigError, match="is the source"):
        months(sink={"format": "parquet", "path": path})

    assert ROWS == pq.read_table(path)


def test_spark_submit_computes_the_bank_s_features(tmp_path):
    """The shipped configuration over a bank table, moved into a folder."""
    csv = generate(tmp_path / "bank.csv", rows=300)
    submit = shutil.which(
        "spark-submit", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    )
    sets = [f"source.path={csv}", f"sink.path={tmp_path}/out", f"result={tmp_path}/result.json"]
    sets += ["spark.master=local[2]", 'spark.conf."spark.ui.enabled"="false"']

    command = [submit, "jobs/features.py", "--config", "conf/features.bank.yaml"]
    done = subprocess.run(
        [*command, *(part for each in sets for part in ("--set", each))],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )  # fmt: skip

    assert 0 == done.returncode, done.stdout + done.stderr
    table = DeltaTable(tmp_path / "out").to_pyarrow_table()
    keep = yaml.safe_load((ROOT / "conf/features.bank.yaml").read_text())["keep"]
    assert keep == table.column_names
    assert 300 == len(table)
    assert 0 == table["month_number"].null_count
    assert "300" in done.stdout
