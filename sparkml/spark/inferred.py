"""Where a text's zeros went: columns whose types Spark inferred from text, and what to do then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkml.arrow import advice, kind
from sparkml.config import CsvSource, SqlSource
from sparkml.spark._versions import is_connect
from sparkml.sql_types import sql_name

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from sparkml.arrow import Advise
    from sparkml.config import Source

PARTITIONS = "spark.sql.sources.partitionColumnTypeInference.enabled"
LONGEST = 300


def advise_for(df: DataFrame, source: Source | None = None) -> Advise:
    """What to do about a column of `df` that has the wrong type, `source` being where it is from.

    Where a model takes a text and Spark inferred something else from one (`01234` became 1234), no
    cast brings the text back: it must be read as one.
    """

    def advise(name: str, given: pa.DataType, wanted: pa.DataType) -> str:
        origin = _origin(df, name) if kind(wanted) == "string" and kind(given) != "string" else None
        if origin == "folder":
            return (
                f"Spark inferred the type of {sql_name(name)} from the folders' names: set "
                f"{PARTITIONS} to false {'in spark.conf' if source else 'in the session'}"
            )
        if origin == "csv":
            return _declare(df, name, source)
        return advice(name, given, wanted)

    return advise


def _declare(df: DataFrame, name: str, source: Source | None) -> str:
    why = f"Spark inferred the type of {sql_name(name)} from the file's text"
    if isinstance(source, CsvSource):
        types = (
            f"{f.name if f.name.isidentifier() else sql_name(f.name)} "
            f"{'STRING' if f.name == name else f.dataType.simpleString().upper()}"
            for f in df.schema.fields
        )
        whole = ", ".join(types)
        shown = f": {whole}" if len(whole) <= LONGEST else f" with {sql_name(name)} STRING"
        return f"{why}: declare source.schema{shown}"
    views = source.views.items() if isinstance(source, SqlSource) else ()
    keys = [f"source.views.{n}.schema" for n, v in views if isinstance(v, CsvSource)]
    place = " or ".join(keys) or "the reader's schema"
    return f"{why}: declare {place} with {sql_name(name)} STRING"


def _origin(df: DataFrame, name: str) -> str | None:
    """`csv` or `folder` where a column comes as Spark inferred it from text; None where not."""
    if is_connect(df.sparkSession):
        return None
    plan: Any = df._jdf.queryExecution().analyzed()  # noqa: SLF001 - reached no other way
    wanted = {_id(a) for a in _items(plan.output()) if a.name() == name}
    for leaf in _items(plan.collectLeaves()):
        if leaf.nodeName() != "LogicalRelation" or leaf.catalogTable().isDefined():
            continue
        relation = leaf.relation()
        found = [a.name() for a in _items(leaf.output()) if _id(a) in wanted]
        if not found or relation.getClass().getSimpleName() != "HadoopFsRelation":
            continue
        if relation.location().getClass().getSimpleName() != "InMemoryFileIndex":
            continue  # Delta's, whose types are declared
        if found[0] in relation.partitionSchema().fieldNames():
            return "folder"
        options = relation.options()
        told = options.get("inferschema") if options.contains("inferschema") else None
        if told is not None and str(told.get()).lower() == "true":
            return "csv"
    return None


def _id(attribute: Any) -> int:
    return int(attribute.exprId().id())


def _items(sequence: Any) -> list[Any]:
    return [sequence.apply(i) for i in range(sequence.size())]
