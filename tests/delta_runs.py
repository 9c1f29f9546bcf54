"""Runs of the Delta sink, for its tests: from the target to the commit, and what they left."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import StructType

from sparkml.spark.delta import open_target
from sparkml.spark.delta.types import arrow_type
from sparkml.spark.parquet.writer import write_files

SCHEMA = "id BIGINT, d STRING, score DOUBLE, error STRING"


def struct(schema):
    """DDL needs a session to be read, which there is none of while tests are collected."""
    return StructType.fromDDL(schema) if isinstance(schema, str) else schema


def target_of(spark, path, schema=SCHEMA, *, app="run", mode="replace", **kw):
    return open_target(spark, str(path), struct(schema), mode=mode, app_id=app, **kw)


def tasks(target, rows, schema=SCHEMA):
    """What a task does with the rows, here in the driver's process."""
    given = pa.schema(list(arrow_type(struct(schema), physical=False)))
    batch = pa.RecordBatch.from_pylist(rows, given)
    return list(write_files([batch], target.layout, task="00000"))


def run(spark, path, rows, schema=SCHEMA, *, app="run", metadata=None, **kw):
    """One run from its beginning to its commit; the table's version."""
    target = target_of(spark, path, schema, app=app, **kw)
    return target.commit(tasks(target, rows, schema), metadata=metadata or {})


def row(i, d="a", **kw):
    return {"id": i, "d": d, "score": 0.5, "error": None, **kw}


def ids(spark, path, where="true"):
    found = spark.read.format("delta").load(str(path)).where(where).select("id").collect()
    return sorted(r.id for r in found)


def version(spark, path):
    return spark.sql(f"DESCRIBE HISTORY delta.`{path}`").agg(F.max("version")).first()[0]


def files_under(path):
    return sorted(str(p) for p in Path(path).rglob("*") if p.is_file())


def log_of(path):
    """The files of the table's log; a refused run must not change them."""
    return [p for p in files_under(path) if "_delta_log" in p]


def refuses(spark, path, error, match, schema=SCHEMA, **kw):
    """The run is refused at once with the words, and the table's log is as it was."""
    before = log_of(path)
    with pytest.raises(error, match=match):
        target_of(spark, path, schema, app="refused", **kw)
    assert log_of(path) == before
