"""The categories that a booster was trained on, and a column as pandas' categories of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from sparkml.arrow import matrix
from sparkml.errors import ModelUnreadable
from sparkml.models.flavors.lightgbm_text import categorical_of, holds_codes, infos_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd


def categorical(column: pa.Array, known: pa.Array, *, strict: bool) -> pd.Categorical:
    """A column as pandas had it in training: of the type `category`, with the categories `known`.

    A value that is none of them is a category of its own after them, as it would be in a table of
    one's own: what it means is for the library to say. A null or NaN is missing.

    Raises:
        ValueError: there is such a value, if `strict`.
    """
    import pandas as pd

    column, values = comparable(column, known)
    codes = pc.index_in(column, value_set=values)
    unseen = column.filter(unseen_in(column, codes)).unique()
    if len(unseen):
        if strict:
            msg = f"{unseen[0].as_py()!r} is no category that the model was trained on"
            raise ValueError(msg)
        known = pa.concat_arrays([values, unseen])
        codes = pc.index_in(column, value_set=known)
    index = known.to_numpy(zero_copy_only=False)
    return pd.Categorical.from_codes(codes.fill_null(-1).to_numpy(), categories=index)


def coded(batch: pa.RecordBatch, categories: Mapping[int, pa.Array], *, strict: bool) -> Any:
    """The matrix of `batch`, a category as its place among those trained; a missing one is NaN.

    Raises:
        ValueError: an unseen category, if `strict`; otherwise it is NaN as well.
    """
    columns = batch.columns
    for place, known in categories.items():
        column = columns[place]
        column, values = comparable(column, known)
        codes = pc.index_in(column, value_set=values)
        if strict:
            unseen = unseen_in(column, codes)
            if pc.any(unseen).as_py():
                value = column.filter(unseen)[0].as_py()
                name = batch.schema.names[place]
                msg = f"{value!r} in '{name}' is no category that the model was trained on"
                raise ValueError(msg)
        columns[place] = codes.cast(pa.float64())
    names = [str(i) for i in range(len(columns))]
    return matrix(pa.RecordBatch.from_arrays(columns, names=names))


def comparable(column: pa.Array, known: pa.Array) -> tuple[pa.Array, pa.Array]:
    """A column and categories, both of one type, in which equal numbers are equal."""
    both = (column.type, known.type)
    wanted = column.type
    if all(map(pa.types.is_integer, both)):
        wanted = pa.int64()
    elif not all(map(pa.types.is_floating, both)) and all(map(is_number, both)):
        wanted = pa.float64()
    return column.cast(wanted, safe=False), known.cast(wanted, safe=False)


def unseen_in(column: pa.Array, codes: pa.Array) -> pa.Array:
    """Which values have no code and are not missing either."""
    return pc.and_not(codes.is_null(), column.is_null(nan_is_null=True))


def is_number(dtype: pa.DataType) -> bool:
    """Whether a type is one of numbers, but for booleans."""
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(test(dtype) for test in tests)


def category_type(categories: pa.Array | None) -> str:
    """The type of a column that holds such categories."""
    if categories is None:
        return "string"
    # Spark has no unsigned integers.
    return "int64" if pa.types.is_unsigned_integer(categories.type) else str(categories.type)


def fits(dtype: pa.DataType, categories: pa.Array | None) -> bool:
    """Whether a column can hold such categories: texts in texts, numbers in numbers."""
    if categories is None:
        texts = (pa.types.is_string, pa.types.is_integer, pa.types.is_boolean)
        return any(test(dtype) for test in texts)
    if pa.types.is_string(categories.type):
        return bool(pa.types.is_string(dtype))
    if len(categories) and pa.types.is_boolean(dtype) != pa.types.is_boolean(categories.type):
        return False
    return is_number(dtype) or bool(pa.types.is_boolean(dtype))


def categories_of_xgboost(booster: Any) -> dict[int, pa.Array]:
    """Feature → the categories that the model holds; XGBoost stores them since 3.1.

    Raises:
        ModelUnreadable: they cannot be those that it was trained on.
    """
    kinds = booster.feature_types or []
    if "c" not in kinds or not hasattr(booster, "get_categories"):
        return {}
    stored = booster.get_categories(export_to_arrow=True)
    made = {}
    for place, (name, known) in enumerate(stored.to_arrow()):
        if known is None:
            continue
        if pa.types.is_string(known.type) and not pc.all(pc.string_is_ascii(known)).as_py():
            raise ModelUnreadable(
                f"the categories of '{name}' are not ASCII, which XGBoost (3.2) stores cut: "
                "it counts their characters and writes their bytes",
                where="categories",
                fix="train it with names in ASCII, or with numbers for them",
            )
        # Copied while `stored` lives: the array points into its memory and does not keep it.
        made[place] = pa.array(known.to_pylist(), known.type)
    return made


def categories_of_lightgbm(booster: Any) -> dict[int, pa.Array]:
    """Feature → its categories: the lists that pandas had, in the columns' order.

    Categories that were numbers from the start have no list, and numbers is what the model takes.

    Raises:
        ModelUnreadable: a column's categories are of several types, or nobody can tell whose they
            are.
    """
    of_pandas = booster.pandas_categorical or []
    if not of_pandas:
        return {}
    text = booster.model_to_string(num_iteration=1)
    places = categorical_of(text)
    _check_places(of_pandas, places, infos_of(text), booster.feature_name())
    try:
        return {place: pa.array(known) for place, known in zip(places, of_pandas, strict=True)}
    except pa.ArrowException as error:
        raise ModelUnreadable(
            f"categories of one column are of several types: {error}",
            where="pandas_categorical",
            fix="train it with categories that are all texts, or all numbers",
        ) from error


def _check_places(
    of_pandas: list[list[Any]], listed: list[int], infos: list[str], names: list[str]
) -> None:
    """Check that pandas' lists of categories can belong to the `listed` columns, and to no others.

    LightGBM stores no column of an ordered category, nor of one that `categorical_feature` left
    out; the lists of those may match in number with listed columns of whole numbers.

    Raises:
        ModelUnreadable: they cannot, or nobody can tell.
    """
    fix = "train it with unordered categories (cat.as_unordered()), or with their codes"
    if len(of_pandas) != len(listed):
        raise ModelUnreadable(
            f"it knows the values of {len(of_pandas)} categories, and for {len(listed)} the "
            "column: LightGBM stores no column of an ordered category",
            where="pandas_categorical",
            fix=fix,
        )
    for place, known in zip(listed, of_pandas, strict=True):
        if not holds_codes(infos[place], len(known)):
            raise ModelUnreadable(
                f"'{names[place]}' was trained on other codes than those of {len(known)} "
                "categories: their values belong to another column, which LightGBM does not store",
                where="pandas_categorical",
                fix=fix,
            )
    ranges = {f"[0:{len(known) - 1}]" for known in of_pandas}
    for place, info in enumerate(infos):
        if place not in listed and info in ranges:
            raise ModelUnreadable(
                f"'{names[place]}' may be a number or the codes of a category, and LightGBM "
                "stores no column of an ordered category or of one not in categorical_feature",
                where="pandas_categorical",
                fix=f"train it with '{names[place]}' as an unordered category, and without "
                "categorical_feature, or with all categories as their codes",
            )
