"""The writer of uncommitted files: which files, with which rows, reports and statistics."""

import datetime as dt
import json
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkml.errors import SinkSchemaError
from sparkml.spark.parquet import writer as parquet_writer
from sparkml.spark.parquet.layout import Layout, PartitionColumn, from_text, to_batch
from sparkml.spark.parquet.partitions import declared, folder
from sparkml.spark.parquet.stats import raised
from sparkml.spark.parquet.writer import write_files

SCHEMA = pa.schema([("id", pa.int64()), ("score", pa.float64()), ("error", pa.string())])


def layout(folder, schema=SCHEMA, **kw):
    return Layout(root=str(folder), logical=schema, physical=schema, **kw)


def by(name, dtype=None):
    return PartitionColumn(name=name, physical=name, type=dtype or pa.string(), in_rows=True)


def batch(rows, schema=SCHEMA):
    return pa.RecordBatch.from_pylist(rows, schema)


def read(root, report):
    return pq.ParquetFile(Path(root) / unquote(report.path)).read()


def files_under(root):
    return sorted(p for p in Path(root).rglob("*") if p.is_file())


def test_no_rows_make_no_file(tmp_path):
    """An empty task, and one whose batches are empty, write nothing."""
    assert list(write_files([], layout(tmp_path), task="0")) == []
    assert list(write_files([batch([])], layout(tmp_path), task="0")) == []
    assert files_under(tmp_path) == []


def test_a_file_has_the_rows_in_order_and_its_report_tells_of_it(tmp_path):
    """Rows, quarantined rows, size and path in the report are those of the file."""
    rows = [{"id": i, "score": i / 2, "error": "bad" if i % 3 == 0 else None} for i in range(100)]
    batches = [batch(rows[:40]), batch([]), batch(rows[40:])]
    (report,) = write_files(batches, layout(tmp_path), task="00007")
    assert read(tmp_path, report).to_pylist() == rows
    assert (report.rows, report.quarantined) == (100, 34)
    (path,) = files_under(tmp_path)
    assert path.name == report.path
    assert path.name.startswith("part-00007-")
    assert path.name.endswith(".zstd.parquet")
    assert path.stat().st_size == report.size


def test_reports_travel_as_rows(tmp_path):
    """What comes back on the driver equals what the task reported."""
    reports = list(write_files([batch([{"id": 1}])], layout(tmp_path), task="0"))
    assert [from_text(t) for t in to_batch(reports).column(0).to_pylist()] == reports


def test_rows_go_to_their_partition_in_order(tmp_path):
    """Each partition has a file of its own, with its rows in the order in which they came."""
    schema = pa.schema([("id", pa.int64()), ("d", pa.string()), ("n", pa.int32())])
    data = pa.schema([("id", pa.int64())])
    rows = [{"id": i, "d": "xy"[i % 2], "n": -(i % 3)} for i in range(30)]
    where = layout(tmp_path, data, partitions=(by("d"), by("n", pa.int32())))
    reports = list(
        write_files([batch(rows[:13], schema), batch(rows[13:], schema)], where, task="0")
    )
    found = {
        tuple(r.partition_values.values()): read(tmp_path, r)["id"].to_pylist() for r in reports
    }
    assert found == {
        (d, str(-n)): [r["id"] for r in rows if r["d"] == d and r["n"] == -n]
        for d in "xy"
        for n in range(3)
    }


def test_a_run_of_one_partition_needs_no_column_for_it(tmp_path):
    """A fixed value makes the folder and the report; the rows do not have it."""
    fixed = PartitionColumn(
        name="d", physical="d", type=pa.string(), in_rows=False, fixed=True, value="a/b"
    )
    (report,) = write_files([batch([{"id": 1}])], layout(tmp_path, partitions=(fixed,)), task="0")
    assert report.partition_values == {"d": "a/b"}
    assert report.path.startswith("d=a%252Fb/part-0-")
    assert read(tmp_path, report).num_rows == 1


def test_few_files_are_open_at_once(tmp_path, monkeypatch):
    """More partitions than open files: the rows still all arrive, each file is reported once."""
    monkeypatch.setattr(parquet_writer, "OPEN_FILES", 2)
    schema = pa.schema([("id", pa.int64()), ("d", pa.int64())])
    where = layout(tmp_path, pa.schema([("id", pa.int64())]), partitions=(by("d", pa.int64()),))
    rows = [{"id": i, "d": i % 5} for i in range(100)]
    reports = list(
        write_files([batch(rows[i : i + 10], schema) for i in range(0, 100, 10)], where, task="0")
    )
    assert sum(r.rows for r in reports) == 100
    assert sorted(i for r in reports for i in read(tmp_path, r)["id"].to_pylist()) == list(
        range(100)
    )
    assert len({r.path for r in reports}) == len(files_under(tmp_path)) == len(reports)


def test_files_roll_and_row_groups_are_not_batches(tmp_path, monkeypatch):
    """A file ends at its target size; small batches are gathered into row groups."""
    batches = [batch([{"id": i, "score": i * 0.1}]) for i in range(200)]
    (one,) = write_files(batches, layout(tmp_path / "one"), task="0")
    assert pq.ParquetFile(tmp_path / "one" / one.path).num_row_groups == 1
    monkeypatch.setattr(parquet_writer, "ROW_GROUP_BYTES", 1000)
    many = list(write_files(batches, layout(tmp_path / "many", target_bytes=1), task="0"))
    assert len(many) > 1
    assert sum(r.rows for r in many) == 200


def test_an_error_leaves_no_unreported_file(tmp_path):
    """A batch that cannot be made, or a caller that stops, has the open files deleted."""

    def failing():
        yield batch([{"id": 1}])
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        list(write_files(failing(), layout(tmp_path), task="0"))
    assert files_under(tmp_path) == []


def test_a_null_in_a_not_null_column_stops_the_task_and_is_reported(tmp_path):
    """The report names the column, so that the driver can refuse before the commit."""
    batches = iter([batch([{"id": 1}]), batch([{"id": None}]), batch([{"id": 3}])])
    (report,) = write_files(batches, layout(tmp_path, not_null=("id",)), task="0")
    assert report.nulls_in == ("id",)
    assert next(batches)["id"].to_pylist() == [3]


def test_columns_are_matched_by_name_cast_and_renamed(tmp_path):
    """Order and extra columns are irrelevant, absent ones null; files have the physical names."""
    inner = pa.struct([("a", pa.int32()), ("b", pa.list_(pa.struct([("x", pa.string())])))])
    logical = pa.schema([("m", inner), ("id", pa.int64()), ("new", pa.float64())])
    physical = pa.schema(
        [
            pa.field(
                "col-1",
                pa.struct(
                    [
                        pa.field("col-2", pa.int32(), metadata={"PARQUET:field_id": "12"}),
                        pa.field(
                            "col-3",
                            pa.list_(pa.field("element", pa.struct([("col-4", pa.string())]))),
                        ),
                    ]
                ),
            ),
            pa.field("col-5", pa.int64()),
            pa.field("col-6", pa.float64()),
        ]
    )
    given = pa.schema(
        [
            ("extra", pa.string()),
            ("id", pa.int32()),
            (
                "m",
                pa.struct(
                    [("b", pa.large_list(pa.struct([("x", pa.large_string())]))), ("A", pa.int32())]
                ),
            ),
        ]
    )
    rows = [
        {"extra": "?", "id": 1, "m": {"b": [{"x": "u"}, {"x": None}, None], "A": 7}},
        {"extra": "?", "id": None, "m": None},
        {"extra": "?", "id": 3, "m": {"b": None, "A": None}},
        {"extra": "?", "id": 4, "m": {"b": [], "A": 9}},
    ]
    where = Layout(root=str(tmp_path), logical=logical, physical=physical)
    sliced = batch([rows[0], *rows, rows[0]], given).slice(1, 4)
    (report,) = write_files([sliced], where, task="0")
    assert read(tmp_path, report).to_pylist() == [
        {
            "col-1": {"col-2": 7, "col-3": [{"col-4": "u"}, {"col-4": None}, None]},
            "col-5": 1,
            "col-6": None,
        },
        {"col-1": None, "col-5": None, "col-6": None},
        {"col-1": {"col-2": None, "col-3": None}, "col-5": 3, "col-6": None},
        {"col-1": {"col-2": 9, "col-3": []}, "col-5": 4, "col-6": None},
    ]
    found = pq.ParquetFile(tmp_path / report.path).schema_arrow.field("col-1").type.field("col-2")
    assert found.metadata == {b"PARQUET:field_id": b"12"}
    stats = json.loads(report.stats)
    assert stats["nullCount"] == {"col-1": {"col-2": 2}, "col-5": 1, "col-6": 4}
    assert stats["minValues"] == {"col-1": {"col-2": 7}, "col-5": 1}


def test_maps_are_conformed(tmp_path):
    """Keys and values of a map are cast, and null and empty maps stay so."""
    wanted = pa.schema([("m", pa.map_(pa.string(), pa.int64()))])
    given = pa.schema([("m", pa.map_(pa.large_string(), pa.int32()))])
    rows = [{"m": [("a", 1), ("b", None)]}, {"m": None}, {"m": []}, {"m": [("c", 3)]}]
    (report,) = write_files([batch(rows, given).slice(1)], layout(tmp_path, wanted), task="0")
    assert read(tmp_path, report)["m"].to_pylist() == [None, [], [("c", 3)]]


def test_statistics_are_exact_where_they_can_be(tmp_path):
    """Bounds of whole numbers, strings, dates, decimals and timestamps; none that could mislead."""
    schema = pa.schema(
        [
            ("i", pa.int16()),
            ("s", pa.string()),
            ("d", pa.date32()),
            ("n", pa.decimal128(20, 2)),
            ("m", pa.decimal128(9, 3)),
            ("t", pa.timestamp("us", "UTC")),
            ("z", pa.timestamp("us")),
            ("f", pa.float64()),
            ("b", pa.bool_()),
            ("l", pa.list_(pa.int64())),
            ("none", pa.int64()),
        ]
    )
    t = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC)
    row = {
        "i": -5,
        "s": "x" * 40,
        "d": dt.date(1970, 1, 1),
        "n": Decimal("-123456789012345678.90"),
        "m": Decimal("1.500"),
        "t": t,
        "z": t.replace(tzinfo=None),
        "f": float("nan"),
        "b": True,
        "l": [1],
    }
    (report,) = write_files([batch([row, {"i": 7}], schema)], layout(tmp_path, schema), task="0")
    stats = json.loads(report.stats, parse_float=Decimal)
    assert stats["numRecords"] == 2
    assert stats["minValues"] == {
        "i": -5,
        "s": "x" * 32,
        "d": "1970-01-01",
        "n": Decimal("-123456789012345678.90"),
        "m": Decimal("1.500"),
        "t": "2026-01-02T03:04:05.678Z",
        "z": "2026-01-02T03:04:05.678",
    }
    assert stats["maxValues"]["s"] == "x" * 32 + "\U0010ffff"
    assert stats["maxValues"]["t"] == "2026-01-02T03:04:05.679Z"
    assert stats["maxValues"]["i"] == 7
    assert stats["nullCount"] == dict.fromkeys("sdnmtzfb", 1) | {"i": 0, "none": 2}


def test_an_upper_bound_is_never_below_the_value():
    """Shortened strings sort above what they stand for, or are left out."""
    for text in ("a" * 33, "é" * 50, "\U0010fffe" * 33):
        assert raised(text) > text
    assert raised("\U0010ffff" * 34) is None
    assert raised("short") == "short"


def test_statistics_stop_after_the_leading_columns(tmp_path):
    """A wide table has statistics for as many columns as its property says."""
    schema = pa.schema([(f"c{i}", pa.int64()) for i in range(40)])
    rows = batch([{f"c{i}": i for i in range(40)}], schema)
    (report,) = write_files([rows], layout(tmp_path / "a", schema), task="0")
    assert len(json.loads(report.stats)["minValues"]) == 32
    every = replace(layout(tmp_path / "b", schema), stats_leaves=-1)
    (report,) = write_files([rows], every, task="0")
    assert len(json.loads(report.stats)["minValues"]) == 40


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        ("a'b", pa.string(), "a'b"),
        (3, pa.string(), "3"),
        (True, pa.bool_(), "true"),
        (-7, pa.int8(), "-7"),
        ("2026-01-31", pa.date32(), "2026-01-31"),
        ("0.1", pa.decimal128(5, 2), "0.10"),
        (0.1, pa.decimal128(5, 2), "0.10"),
        ("2026-01-31 01:02:03", pa.timestamp("us"), "2026-01-31 01:02:03.000000"),
        ("2026-01-31T01:02:03+01:00", pa.timestamp("us", "UTC"), "2026-01-31T00:02:03.000000Z"),
        (None, pa.date32(), None),
    ],
)
def test_declared_values_are_spelled_as_in_the_log(value, dtype, text):
    """A value of a config becomes the text that the same value in a row would have."""
    assert declared("d", value, dtype) == text


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ("", pa.string()),
        ("soon", pa.date32()),
        (300, pa.int8()),
        ("1.5", pa.int64()),
        ("2026-01-31", pa.timestamp("us", "UTC")),
    ],
)
def test_a_declared_value_of_another_type_is_refused(value, dtype):
    """The error names the column and what it was given."""
    with pytest.raises(SinkSchemaError, match="'d'"):
        declared("d", value, dtype)


def test_folders_are_escaped_as_hive_does():
    """Separators are escaped, null has its name, letters of any script stay; long names: none."""
    assert folder(["a=b", "c"], ("x/y %", None)) == "a%3Db=x%2Fy %25/c=__HIVE_DEFAULT_PARTITION__/"
    assert folder(["d"], ("é",)) == "d=é/"
    assert folder(["d"], ("x" * 300,)) == ""


def test_the_writer_needs_no_spark():
    """Any worker can use it: importing it brings neither pyspark nor pandas."""
    code = (
        "import sys, sparkml.spark.parquet.writer;"
        "sys.exit(any(m in sys.modules for m in ('pyspark', 'pandas', 'py4j')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
