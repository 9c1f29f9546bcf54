"""Columns that Spark made of a text, which a cast does not bring back, and what to do then."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pyspark.sql.types import StructType

from sparkml.arrow import kind
from sparkml.binding import advice
from sparkml.config import CsvSource, SqlSource
from sparkml.spark._versions import is_connect
from sparkml.sql_types import sql_name

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from sparkml.binding import Advise
    from sparkml.config import Source

PARTITIONS = "spark.sql.sources.partitionColumnTypeInference.enabled"
LONGEST = 300


def advise_for(df: DataFrame, source: Source | None = None) -> Advise:
    """What to do about a column of `df` that has the wrong type, `source` being where it is from.

    Where a model takes a text and Spark made something else of one (`01234` became 1234), no cast
    brings the text back: it must be read as one. Advice for a second column holds for the first.
    """
    texts: set[str] = set()

    def advise(name: str, given: pa.DataType, wanted: pa.DataType) -> str:
        lost = kind(wanted) == "string" and kind(given) != "string"
        relation = _relation(df, name) if lost else None
        if relation is None:
            return advice(name, given, wanted)
        if name in relation.partitionSchema().fieldNames():
            return (
                f"Spark inferred the type of {sql_name(name)} from the folders' names: set "
                f"{PARTITIONS} to false {'in spark.conf' if source else 'in the session'}"
            )
        texts.add(name)
        return _declare(relation, texts, source)

    return advise


def _declare(relation: Any, texts: set[str], source: Source | None) -> str:
    whole = ", ".join(
        f"{f.name if f.name.isidentifier() else sql_name(f.name)} "
        f"{'STRING' if f.name in texts else f.dataType.simpleString().upper()}"
        for f in StructType.fromJson(json.loads(relation.dataSchema().json())).fields
    )
    named = ", ".join(map(sql_name, sorted(texts)))
    shown = f": {whole}" if len(whole) <= LONGEST else f" with {named} as STRING"
    views = source.views.items() if isinstance(source, SqlSource) else ()
    keys = [f"source.views.{n}.schema" for n, v in views if isinstance(v, CsvSource)]
    place = " or ".join(keys) or ("source.schema" if source else "the reader's schema")
    why = f"the text of {named} is lost where Spark makes something else of it"
    return f"{why}: declare {place}{shown}"


def _relation(df: DataFrame, name: str) -> Any:
    """The files that a column comes from as Spark made it of a text; None where it does not.

    A text of a CSV file, or of a folder's name (`zip=01234`); not what a step has computed.
    """
    if is_connect(df.sparkSession):
        return None
    plan: Any = df._jdf.queryExecution().analyzed()  # noqa: SLF001 - reached no other way
    wanted = {_id(a) for a in _items(plan.output()) if a.name() == name}
    for leaf in _items(plan.collectLeaves()):
        if leaf.nodeName() != "LogicalRelation" or leaf.catalogTable().isDefined():
            continue
        relation = leaf.relation()
        if relation.getClass().getSimpleName() != "HadoopFsRelation":
            continue
        # (Delta has an index of its own; its types are declared.)
        if relation.location().getClass().getSimpleName() != "InMemoryFileIndex":
            continue
        found = {a.name() for a in _items(leaf.output()) if _id(a) in wanted}
        folders = set(relation.partitionSchema().fieldNames())
        is_csv = relation.fileFormat().getClass().getSimpleName() == "CSVFileFormat"
        if found and (is_csv or found <= folders):
            return relation
    return None


def _id(attribute: Any) -> int:
    return int(attribute.exprId().id())


def _items(sequence: Any) -> list[Any]:
    return [sequence.apply(i) for i in range(sequence.size())]
