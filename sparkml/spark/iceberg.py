"""Iceberg's own transaction through py4j: the one place that touches Iceberg's classes.

Spark's writer fills the table of the transaction and not that of the catalog, so until the commit
nobody sees a row, and a new table is not there. How many rows there are, and how many of them have
an error, is read from the statistics of the files that were written.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pyspark.sql.types import StructType

from sparkml.errors import CommitConflict, SinkError, SinkNotWritable
from sparkml.spark.catalog import located
from sparkml.spark.failures import FROM_SPARK, java_failure
from sparkml.spark.types import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from py4j.java_gateway import JavaObject
    from pyspark.sql import DataFrame, SparkSession

CONFLICTS = ("ValidationException", "CommitFailedException", "AlreadyExistsException")
"""What Iceberg raises where another commit and this one cannot both stand."""

IN_DOUBT = "CommitStateUnknownException"
STATISTICS = "write.metadata.metrics.column."
COUNTED = "error.code"
"""A column that is null exactly where a row has no error."""


class IcebergTransaction:
    """A transaction on a table of a catalog, or on one that comes with its commit.

    Runs on the driver of a classic session. A file that was written costs some ten calls into the
    JVM, 0.3 ms each.
    """

    def __init__(
        self, spark: SparkSession, name: str, *, new: StructType | None, by: Sequence[str]
    ) -> None:
        jvm: Any = spark._jvm  # noqa: SLF001 - the JVM is reached no other way
        self._spark, self._jvm, self._name = spark, jvm, name
        self._session: Any = spark._jsparkSession  # noqa: SLF001
        # Iceberg asks for the active session of the thread, which may be another one.
        jvm.org.apache.spark.sql.classic.SparkSession.setActiveSession(self._session)
        catalog, identifier = located(spark, name)
        if new is None:
            found = catalog.loadTable(identifier)
            if not found.name().lower().endswith(identifier.name().lower()) or found.branch():
                raise SinkNotWritable(
                    "it is a branch, a tag or a snapshot of a table",
                    where=name,
                    fix="name the table itself",
                )
            self._begun = found.table().newTransaction()
            self._staged = jvm.org.apache.iceberg.spark.source.StagedSparkTable(self._begun)
        else:
            self._staged = self._created(catalog, identifier, new, by)
        self._table = self._staged.table()
        self.schema: StructType = _of_java(self._staged.schema())
        """The table's columns, as Spark reads them."""
        self._written: Any = None
        self._files: list[JavaObject] = []

    @property
    def version(self) -> int | None:
        """The snapshot that this transaction has read; None where there is none yet."""
        found = self._table.currentSnapshot()
        return None if found is None else int(found.snapshotId())

    @property
    def partitions(self) -> list[str]:
        """By what the table is partitioned: columns, or transforms of them."""
        return [transform.describe() for transform in self._staged.partitioning()]

    @property
    def totals(self) -> dict[str, int]:
        """How many `files` and `rows` the table has; without what its writers did not tell."""
        found = self._table.currentSnapshot()
        summary = {} if found is None else found.summary()
        named = {"files": summary.get("total-data-files"), "rows": summary.get("total-records")}
        return {name: int(value) for name, value in named.items() if value is not None}

    def stored(self, schema: StructType) -> StructType:
        """The schema as a table has it: a short integer is an integer, for one."""
        util = self._jvm.org.apache.iceberg.spark.SparkSchemaUtil
        return _of_java(util.convert(util.convert(self._to_java(schema))))

    def add_columns(self, schema: StructType) -> None:
        """The columns of `schema` that the table lacks come with the commit."""
        util = self._jvm.org.apache.iceberg.spark.SparkSchemaUtil
        update = self._table.updateSchema()
        update.unionByNameWith(util.convert(self._to_java(schema))).commit()
        # Another one, since it has looked at its columns once and for all.
        self._staged = self._jvm.org.apache.iceberg.spark.source.StagedSparkTable(self._begun)
        self.schema = _of_java(self._staged.schema())

    def write(self, rows: DataFrame, *, replace: bool, properties: Mapping[str, str]) -> None:
        """Write `rows`, in one job; columns are met by name.

        With `replace` they stand in place of all others, and what another has added meanwhile is a
        conflict. `properties` become those of the snapshot.
        """
        base = self.version
        options = {f"snapshot-property.{name}": value for name, value in properties.items()}
        if replace:
            options["isolation-level"] = "serializable"
            if base is not None:
                options["validate-from-snapshot-id"] = str(base)
        held = {f.name.lower(): f for f in _of_java(self._staged.schema().asNullable()).fields}
        target = StructType([held[name.lower()] for name in rows.columns])
        statistics = STATISTICS + COUNTED
        before = self._table.properties().get(statistics)
        self._set(statistics, "counts")
        self._run(rows.to(target), options, replace=replace)
        self._set(statistics, before)
        # Found now: a commit that fails puts the snapshots of others in its place.
        self._written = list(self._table.snapshots())[-1]
        self._files = list(self._written.addedDataFiles(self._table.io()))

    def counts(self) -> tuple[int, int, int]:
        """The rows that were written, those of them with an error, and the files.

        Raises:
            SinkError: the files' format has no statistics.
        """
        error = self._table.schema().asStruct().caseInsensitiveField("error")
        code = error.type().asStructType().field("code").fieldId()
        rows = sum(int(file.recordCount()) for file in self._files)
        told = ((file.valueCounts(), file.nullValueCounts()) for file in self._files)
        try:
            errors = sum(int(values[code]) - int(nulls[code]) for values, nulls in told)
            return rows, errors, len(self._files)
        except (TypeError, KeyError):
            self.abandon()
            raise SinkError(
                "the files that were written do not tell their nulls, so their errors cannot be "
                "counted; nothing was committed",
                where=self._name,
                fix="let the table write Parquet or ORC: TBLPROPERTIES write.format.default",
            ) from None

    def commit(self) -> int:
        """The snapshot with the rows that were written.

        Raises:
            CommitConflict: another writer changed what this run read; nothing was committed.
            SinkError: Iceberg refused the commit, or whether it took place is not known.
        """
        version = int(self._written.snapshotId())
        try:
            self._staged.commitStagedChanges()
        except FROM_SPARK as error:
            name, line = java_failure(error)
            if name == IN_DOUBT:
                raise SinkError(
                    f"the commit failed, and whether it took place is not known: {line}",
                    where=self._name,
                    fix=f"look whether the table has the snapshot {version} before a run again",
                ) from error
            self.abandon()
            if name in CONFLICTS:
                raise CommitConflict(
                    f"another writer changed what this run read: {line} ({name})",
                    where=self._name,
                    fix="nothing was committed; run the same command again",
                ) from error
            raise SinkError(
                f"Iceberg refused the commit: {line} ({name})",
                where=self._name,
                fix="nothing was committed; mend the cause and run the same command again",
            ) from error
        return version

    def abandon(self) -> None:
        """Delete the files that were written, as far as it goes."""
        io, written = self._table.io(), self._written
        with suppress(*FROM_SPARK):
            for file in self._files:
                io.deleteFile(file.location())
            for manifest in written.allManifests(io):
                if manifest.snapshotId() == written.snapshotId():
                    io.deleteFile(manifest.path())
            io.deleteFile(written.manifestListLocation())

    def _set(self, name: str, value: str | None) -> None:
        update = self._table.updateProperties()
        (update.remove(name) if value is None else update.set(name, value)).commit()

    def _run(self, rows: DataFrame, options: Mapping[str, str], *, replace: bool) -> None:
        """Spark's own write into the table of the transaction."""
        sql: Any = self._jvm.org.apache.spark.sql
        none = self._jvm.scala.Option.empty()
        relation = sql.execution.datasources.v2.DataSourceV2Relation.create(
            self._staged, none, none
        )
        query = rows._jdf.queryExecution().analyzed()  # noqa: SLF001
        scala = self._jvm.PythonUtils.toScalaMap(dict(options))
        plans = sql.catalyst.plans.logical
        if replace:
            every = self._session.sessionState().sqlParser().parseExpression("true")
            plan = plans.OverwriteByExpression.byName(relation, query, every, scala)
        else:
            plan = plans.AppendData.byName(relation, query, scala)
        sql.classic.Dataset.ofRows(self._session, plan)

    def _created(
        self, catalog: JavaObject, identifier: JavaObject, schema: StructType, by: Sequence[str]
    ) -> JavaObject:
        """A table that its commit makes."""
        expressions = self._jvm.org.apache.spark.sql.connector.expressions
        gateway: Any = self._spark.sparkContext._gateway  # noqa: SLF001
        transforms = gateway.new_array(expressions.Transform, len(by))
        for i, name in enumerate(by):
            transforms[i] = expressions.Expressions.identity(quoted(name))
        properties = {"provider": "iceberg"}
        return catalog.stageCreate(identifier, self._to_java(schema), transforms, properties)

    def _to_java(self, schema: StructType) -> JavaObject:
        return self._session.parseDataType(schema.json())


def _of_java(schema: JavaObject) -> StructType:
    return StructType.fromJson(json.loads(schema.json()))
