"""Arrow's types under their names in Spark's SQL."""

from __future__ import annotations

import pyarrow as pa
import pytest

from sparkml.sql_types import cast_advice, sql_name, sql_type


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (pa.bool_(), "BOOLEAN"),
        (pa.int8(), "TINYINT"),
        (pa.int16(), "SMALLINT"),
        (pa.int32(), "INT"),
        (pa.int64(), "BIGINT"),
        (pa.uint64(), "DECIMAL(20, 0)"),
        (pa.float32(), "FLOAT"),
        (pa.float64(), "DOUBLE"),
        (pa.string(), "STRING"),
        (pa.large_string(), "STRING"),
        (pa.binary(), "BINARY"),
        (pa.date32(), "DATE"),
        (pa.timestamp("us", "UTC"), "TIMESTAMP"),
        (pa.timestamp("ns"), "TIMESTAMP_NTZ"),
        (pa.decimal128(9, 2), "DECIMAL(9, 2)"),
        (pa.list_(pa.list_(pa.float32())), "ARRAY<ARRAY<FLOAT>>"),
        (pa.map_(pa.string(), pa.int64()), "MAP<STRING, BIGINT>"),
        (pa.struct([("a`b", pa.int8())]), "STRUCT<`a``b`: TINYINT>"),
    ],
)
def test_each_type_has_its_name_in_sql(dtype, name):
    """Never Arrow's own."""
    assert name == sql_type(dtype)


def test_names_are_quoted():
    """Whatever characters they have."""
    assert "`a ``b``.c`" == sql_name("a `b`.c")


@pytest.mark.parametrize(
    ("given", "wanted", "said"),
    [
        (pa.float64(), pa.int64(), "which cuts fractions off, e.g. TRY_CAST(`n` AS BIGINT)"),
        (pa.string(), pa.float64(), "a text that is no DOUBLE becomes null: TRY_CAST("),
        (pa.int64(), pa.string(), "e.g. CAST(`n` AS STRING)"),
        (pa.string(), pa.list_(pa.float64()), "from_json(`n`, 'ARRAY<DOUBLE>')"),
        (pa.float64(), pa.list_(pa.float64()), "make it ARRAY<DOUBLE> in a step"),
        (pa.binary(), pa.float64(), "make it DOUBLE in a step, or choose another column"),
    ],
)
def test_what_to_do_says_what_it_does_to_the_values(given, wanted, said):
    """A fraction cut off, a null in place of a text; no cast where Spark has none."""
    assert said in cast_advice("n", given, wanted)
