"""Between a signature and Arrow: names, casts, and the matrix that a model takes."""

from __future__ import annotations

import decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkml.arrow import CASTS, cast_rule, matrix
from sparkml.binding import bind, select
from sparkml.errors import SignatureError
from sparkml.lists import dense
from sparkml.spec import Field, Signature
from sparkml.type_names import to_arrow_type

VECTOR = pa.struct(
    [
        ("type", pa.int8()),
        ("size", pa.int32()),
        ("indices", pa.list_(pa.int32())),
        ("values", pa.list_(pa.float64())),
    ]
)


def doubles(*names: str) -> Signature:
    """A signature of doubles."""
    return Signature(inputs=tuple(Field(name=n, type="double") for n in names))


@pytest.mark.parametrize(
    "dtype",
    [
        pa.bool_(), pa.int8(), pa.int64(), pa.float32(), pa.float64(), pa.string(), pa.binary(),
        pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.decimal128(9, 2),
        pa.list_(pa.float64()), pa.list_(pa.list_(pa.float64())),
    ],
)  # fmt: skip
def test_a_type_s_own_name_reads_back(dtype):
    """What `str` prints of a type names that type."""
    assert dtype == to_arrow_type(str(dtype))


def test_an_unknown_type_names_the_nearest():
    """A slip in a declared signature is told with what was meant."""
    with pytest.raises(SignatureError, match=r"'duoble'.*did you mean 'double'"):
        to_arrow_type("duoble")


@pytest.mark.parametrize(
    ("source", "target", "allowed"),
    [
        (pa.int32(), pa.float64(), True),
        (pa.int64(), pa.float64(), True),
        (pa.decimal128(38, 10), pa.float64(), True),
        (pa.bool_(), pa.float64(), True),
        (pa.string(), pa.float64(), False),
        (pa.float64(), pa.int64(), False),
        (pa.decimal128(9, 2), pa.int64(), False),
        (pa.decimal128(9, 0), pa.int64(), True),
        (pa.decimal128(10, 4), pa.decimal128(9, 2), False),
        (pa.decimal128(18, 0), pa.decimal128(5, 0), False),
        (pa.decimal128(9, 2), pa.decimal128(12, 4), True),
        (pa.int64(), pa.int32(), False),
        (pa.int64(), pa.string(), False),
        (pa.list_(pa.float32()), pa.list_(pa.float64()), True),
        (pa.list_(pa.string()), pa.list_(pa.float64()), False),
        (VECTOR, pa.list_(pa.float64()), True),
        (VECTOR, pa.float64(), False),
        (pa.null(), pa.float64(), True),
        (pa.null(), pa.list_(pa.float64()), True),
        (pa.date32(), pa.timestamp("us", "UTC"), True),
        (pa.timestamp("us", "UTC"), pa.date32(), False),
    ],
)
def test_the_table_of_casts_decides_from_types_alone(source, target, allowed):
    """A cast that keeps the meaning is allowed, one that could lose or guess it is refused."""
    assert allowed == (cast_rule(source, target) is not None)


def test_every_row_of_the_table_is_reachable():
    """No rule stands for a kind that no type has."""
    kinds = {k for rules in CASTS.values() for k in rules} - {"integer decimal", "null"}

    assert kinds <= set(CASTS)


def test_all_problems_of_a_table_are_told_at_once():
    """A missing, a misnamed and a mistyped column are one error."""
    schema = pa.schema([("a", pa.string()), ("B", pa.float64())])

    with pytest.raises(SignatureError) as error:
        bind(schema, doubles("a", "b", "zzz"), where="here")

    for said in ("'a' is string", "'b' (did you mean 'B'?)", "2 columns are missing", "here"):
        assert said in str(error.value)


def test_inputs_are_taken_by_name_in_the_model_s_order():
    """Order and further columns are irrelevant, a column that is not required may be absent."""
    signature = Signature(
        inputs=(
            Field(name="b", type="double"),
            Field(name="a", type="double"),
            Field(name="c", type="string", required=False),
        )
    )
    batch = pa.record_batch({"x": ["?"], "a": pa.array([1], pa.int8()), "b": [2.5]})

    got = select(batch, signature, where="here")

    assert {"b": [2.5], "a": [1.0], "c": [None]} == got.to_pydict()
    assert ["b", "a", "c"] == got.schema.names


def test_an_int_column_is_the_same_with_and_without_nulls():
    """A null in a batch does not change what its other rows become."""
    with_null = pa.record_batch({"a": pa.array([1, None, 3], pa.int64())})

    got = select(with_null, doubles("a"), where="here").column(0)

    assert [1.0, None, 3.0] == got.to_pylist()


@given(
    st.lists(
        st.one_of(st.none(), st.floats(), st.integers(-(2**53), 2**53).map(float)), max_size=30
    ),
    st.integers(0, 5),
)
def test_the_matrix_holds_the_values_and_nan_for_nulls(values, offset):
    """Bit for bit, for slices too."""
    column = pa.array(values, pa.float64())
    batch = pa.record_batch({"a": column, "b": column}).slice(offset)

    got = matrix(batch)

    expected = np.array([np.nan if v is None else v for v in values[offset:]], dtype=np.float64)
    assert got.flags.c_contiguous
    assert got.shape == (len(expected), 2)
    np.testing.assert_array_equal(got, np.column_stack([expected, expected]))


def test_the_matrix_of_booleans_decimals_and_vectors():
    """Each numeric kind becomes float64; a null vector becomes a row of NaN."""
    mixed = pa.record_batch(
        {
            "a": pa.array([True, None]),
            "b": pa.array([decimal.Decimal("1.5"), None], pa.decimal128(9, 2)),
        }
    )
    vectors = pa.record_batch({"v": pa.array([[1.0, None], None], pa.list_(pa.float64()))})

    np.testing.assert_array_equal(matrix(mixed), [[1.0, 1.5], [np.nan, np.nan]])
    np.testing.assert_array_equal(matrix(vectors), [[1.0, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(matrix(vectors.slice(1), 2), [[np.nan, np.nan]])


def test_vectors_of_two_lengths_in_a_batch_are_an_error():
    """A feature vector of the wrong length never shifts its neighbours."""
    with pytest.raises(ValueError, match="feature vectors of length 3"):
        matrix(pa.record_batch({"v": [[1.0, 2.0]]}), 3)
    with pytest.raises(ValueError, match="feature vectors of one length"):
        matrix(pa.record_batch({"v": [[1.0, 2.0], [3.0]]}))


def test_spark_ml_vectors_sparse_dense_and_null():
    """Zeros are written out, nulls stay null, slices and all-dense batches are the same."""
    vectors = pa.array(
        [
            {"type": 1, "size": None, "indices": None, "values": [1.0, 2.0]},
            None,
            {"type": 0, "size": 2, "indices": [1], "values": [5.0]},
        ],
        VECTOR,
    )

    assert [[1.0, 2.0], None, [0.0, 5.0]] == dense(vectors).to_pylist()
    assert [[1.0, 2.0], None] == dense(vectors.slice(0, 2)).to_pylist()
    assert [None, [0.0, 5.0]] == dense(vectors.slice(1)).to_pylist()
    assert [] == dense(vectors.slice(0, 0)).to_pylist()
