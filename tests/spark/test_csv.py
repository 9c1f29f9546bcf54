"""CSV files are read as the tools that write them mean them: the table of docs/csv.md, by rows."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal

import pandas as pd
import pytest
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

from sparkml.config import load_config
from sparkml.errors import SourceError
from sparkml.spark.failures import explained
from sparkml.spark.sources import csv_options, read_source

pytestmark = pytest.mark.spark

NULL = None
ERROR = "error"
DAY, TIME = dt.date(2024, 1, 2), dt.datetime(2024, 1, 2, 3, 4, 5)  # noqa: DTZ001 - as read

# What it is about, the file, then the rows as pandas, as we, and as Spark alone reads them.
TABLE = {
    "a quote in a text": (
        'id,s\n1,"27"" screen"\n',
        [(1, '27" screen')],
        [(1, '27" screen')],
        [(1, '"27"" screen"')],
    ),
    "a quote before a comma": (
        'id,s,x\n1,"says ""hi"", leaves",2\n',
        [(1, 'says "hi", leaves', 2)],
        [(1, 'says "hi", leaves', 2)],
        [(1, '"says ""hi""', ' leaves"')],
    ),
    "a line break in quotes": (
        'id,x,s\n1,2,"one\n3,4,two"\n',
        [(1, 2, "one\n3,4,two")],
        [(1, 2, "one\n3,4,two")],
        [(1, 2, "one"), (3, 4, 'two"')],
    ),
    "a backslash": (
        'id,s\n1,"C:\\"\n2,b\n',
        [(1, "C:\\"), (2, "b")],
        [(1, "C:\\"), (2, "b")],
        [(1, 'C:"'), (2, "b")],
    ),
    "nothing, and nothing in quotes": (
        'id,s,x\n1,,\n2,"",3.5\n',
        [(1, NULL, NULL), (2, NULL, 3.5)],
        [(1, NULL, NULL), (2, NULL, 3.5)],
        [(1, NULL, NULL), (2, NULL, 3.5)],
    ),
    "NA in a text": (
        "id,s\n1,NA\n2,b\n",
        [(1, NULL), (2, "b")],
        [(1, "NA"), (2, "b")],
        [(1, "NA"), (2, "b")],
    ),
    "blanks": (
        "id,s\n1, a \n",
        [(1, " a ")],
        [(1, " a ")],
        [(1, " a ")],
    ),
    "an empty line": (
        "id,x\n1,2\n\n3,4\n",
        [(1, 2), (3, 4)],
        [(1, 2), (3, 4)],
        [(1, 2), (3, 4)],
    ),
    "a byte order mark": (
        b"\xef\xbb\xbfid,x\n1,2\n",
        [(1, 2)],
        [(1, 2)],
        [(1, 2)],
    ),
    "a byte that is no UTF-8": (
        b"id,s\n1,caf\xe9\n",
        ERROR,
        [(1, "caf\ufffd")],
        [(1, "caf\ufffd")],
    ),
    "a value too few": (
        "id,x,s\n1,2\n3,4,b\n",
        [(1, 2, NULL), (3, 4, "b")],
        ERROR,
        [(1, 2, NULL), (3, 4, "b")],
    ),
    "a value too many": (
        "id,x\n1,2\n3,4,5\n",
        ERROR,
        ERROR,
        [(1, 2), (3, 4)],
    ),
    "a code with zeros": (
        "id,s\n1,01234\n",
        [(1, 1234)],
        [(1, 1234)],
        [(1, 1234)],
    ),
    "a date, a time": (
        "d,t\n2024-01-02,2024-01-02 03:04:05\n",
        [("2024-01-02", "2024-01-02 03:04:05")],
        [(DAY, TIME)],
        [(DAY, TIME)],
    ),
    "True": (
        "id,b\n1,True\n2,false\n",
        [(1, True), (2, False)],
        [(1, True), (2, False)],
        [(1, True), (2, False)],
    ),
    "a number beyond 64 bits": (
        "id,n\n1,99999999999999999999\n",
        [(1, "99999999999999999999")],
        [(1, Decimal(99999999999999999999))],
        [(1, Decimal(99999999999999999999))],
    ),
}


def rows_of(df) -> list[tuple]:
    """The rows of a Spark or a pandas table; the errors of Spark's jobs are ours."""
    if isinstance(df, pd.DataFrame):
        found = df.astype(object).where(df.notna(), None)
        return [tuple(row) for row in found.itertuples(index=False)]
    with explained():
        return [tuple(row) for row in df.collect()]


@pytest.mark.parametrize("about", TABLE)
def test_the_table_of_defaults_holds(spark, tmp_path, about):
    """As pandas, as ours and as Spark's own defaults read it."""
    text, by_pandas, ours, by_spark = TABLE[about]
    data = text if isinstance(text, bytes) else text.encode()
    path = tmp_path / "t.csv"
    path.write_bytes(data)

    def read_pandas():
        return rows_of(pd.read_csv(io.BytesIO(data)))

    def read_ours():
        return rows_of(read_source(spark, source(path)))

    def read_spark():
        return rows_of(spark.read.csv(str(path), header=True, inferSchema=True))

    for read, expected in ((read_pandas, by_pandas), (read_ours, ours), (read_spark, by_spark)):
        if expected is ERROR:
            with pytest.raises((SourceError, ValueError)):
                read()
        else:
            assert read() == expected


def test_every_row_of_the_table_is_told():
    """The page has the same rows."""
    from pathlib import Path

    page = Path("docs/csv.md").read_text(encoding="utf-8")

    assert [about for about in TABLE if f"| {about}" not in page] == []


def source(path, **keys):
    """A CSV source of a job's configuration."""
    import yaml

    file = path.parent / "job.yaml"
    job = {
        "models": {"m": {"uri": "m.joblib"}},
        "source": {"format": "csv", "path": str(path), **keys},
        "key": "id",
        "sink": {"format": "delta", "path": "out"},
    }
    file.write_text(yaml.safe_dump(job))
    return load_config(str(file), env={}).config.source


def test_options_of_the_job_win_however_they_are_spelt():
    """Spark tells no upper case from lower in options; the escape is the job's own quote."""
    got = csv_options({"MULTILINE": "false", "quote": "'", "mode": "PERMISSIVE"}, header=False)

    assert got == {
        "MULTILINE": "false",
        "quote": "'",
        "mode": "PERMISSIVE",
        "header": "false",
        "escape": "'",
        "columnPruning": "false",
    }


def test_a_job_may_leave_every_column_a_text(spark, tmp_path):
    """`inferSchema` is an option like others."""
    (tmp_path / "t.csv").write_text("id,zip\n1,01234\n")

    given = source(tmp_path / "t.csv", options={"inferschema": "false"})

    assert rows_of(read_source(spark, given)) == [("1", "01234")]


def test_what_pandas_writes_comes_back(spark, tmp_path):
    """Texts with quotes, commas, line breaks and backslashes, and what is missing."""
    texts = ['a "b"', "c,d", "e\nf,1", "g\\", '"', "h'i", None, " j ", '\\"', "k;l"]
    table = pd.DataFrame({"id": range(len(texts)), "s": texts, "x": [0.5] * len(texts)})
    table.to_csv(tmp_path / "t.csv", index=False)

    got = rows_of(read_source(spark, source(tmp_path / "t.csv")).orderBy("id"))

    assert got == rows_of(table)


def test_what_our_sink_writes_is_what_pandas_and_our_source_read(spark, tmp_path):
    """Quotes are doubled there, too."""
    from sparkml.config import CsvSink
    from sparkml.spark.spark_writer import SparkWriter

    rows = spark.createDataFrame([(1, 'a "b"\nc', [1.5])], "id INT, s STRING, v ARRAY<DOUBLE>")
    sink = CsvSink(format="csv", path=str(tmp_path / "out"), mode="replace")
    SparkWriter(spark, sink, rows.schema).save(rows.coalesce(1), {"rows": F.count(F.lit(1))})
    (file,) = (tmp_path / "out").glob("*.csv")

    assert rows_of(pd.read_csv(file)) == [(1, 'a "b"\nc', "[1.5]")]
    assert rows_of(read_source(spark, source(tmp_path / "out"))) == [(1, 'a "b"\nc', "[1.5]")]


def test_without_line_breaks_in_quotes_a_large_file_is_split_when_told(spark, tmp_path):
    """One task reads a file whole, unless the job says that no text holds a line break."""
    (tmp_path / "t.csv").write_text("id,s\n" + "1,abcdefgh\n" * 20_000)
    whole = read_source(spark, source(tmp_path / "t.csv"))
    split = read_source(spark, source(tmp_path / "t.csv", options={"multiLine": "false"}))
    spark.conf.set("spark.sql.files.maxPartitionBytes", "65536")
    spark.conf.set("spark.sql.files.openCostInBytes", "1")
    try:
        assert whole.rdd.getNumPartitions() == 1
        assert split.rdd.getNumPartitions() > 1
    finally:
        spark.conf.unset("spark.sql.files.maxPartitionBytes")
        spark.conf.unset("spark.sql.files.openCostInBytes")


@pytest.mark.parametrize("whole", ["true", "false"])
def test_a_line_that_does_not_fit_is_told_whatever_columns_are_asked_for(spark, tmp_path, whole):
    """Spark would not look at the line's end, and make a null of the `x` that is not there."""
    (tmp_path / "t.csv").write_text("id,x,s\n1\n3,4,b\n")
    rows = read_source(spark, source(tmp_path / "t.csv", options={"multiLine": whole}))

    with pytest.raises(SourceError, match="MALFORMED"):
        rows_of(rows.select("id", "x"))


def test_a_malformed_line_is_told_with_what_helps(spark, tmp_path):
    """And with the advised mode it is read."""
    (tmp_path / "t.csv").write_text("id,x\n1,2\n3\n")
    with pytest.raises(SourceError, match=r"options: \{mode: PERMISSIVE\}"):
        rows_of(read_source(spark, source(tmp_path / "t.csv")))

    lenient = read_source(spark, source(tmp_path / "t.csv", options={"mode": "PERMISSIVE"}))

    assert rows_of(lenient) == [(1, 2), (3, None)]
