"""A Delta table as the target of a run: checked before any task, committed once after them."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

from sparkml.errors import CommitConflict, SinkError, SinkNotWritable, UnsupportedTable
from sparkml.files import open_address
from sparkml.spark._versions import is_connect
from sparkml.spark.delta.log import DeltaTransaction
from sparkml.spark.delta.plan import TablePlan, plan_table
from sparkml.spark.delta.root import check_root, root_of
from sparkml.spark.failures import FROM_SPARK, java_failure
from sparkml.spark.s3 import s3_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from py4j.java_gateway import JavaObject
    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructType

    from sparkml.files import S3Options
    from sparkml.spark.parquet.layout import FileReport, Layout

Value = str | int | float | bool | None

CONFLICTS = (
    "ConcurrentAppendException",
    "ConcurrentDeleteReadException",
    "ConcurrentDeleteDeleteException",
    "ConcurrentTransactionException",
    "ConcurrentWriteException",
    "MetadataChangedException",
    "ProtocolChangedException",
)
"""What Delta raises where another commit and this one cannot both stand."""

UNKNOWN_PROTOCOL = ("DeltaUnsupportedTableFeatureException", "InvalidProtocolVersionException")
"""What Delta raises for a table that is newer than itself."""


def open_target(
    spark: SparkSession,
    path: str,
    schema: StructType,
    *,
    mode: Literal["replace", "append"],
    app_id: str,
    partition: Mapping[str, Value] | None = None,
    partition_by: Sequence[str] = (),
    on_schema_change: Literal["refuse", "merge"] = "refuse",
    column_mapping: Literal["none", "name"] = "none",
    version: int = 1,
) -> Target:
    """The table at `path`, ready to take rows of `schema`; its transaction has begun.

    Runs on the driver of a classic session, before any task, and writes nothing: what another
    writer commits from now on is a conflict. A new table comes with the commit. `app_id` is the
    run's identity: once a commit with it is in the log, `already_done` is true and nothing else is
    checked. With `partition` the run writes (and with `replace` replaces) exactly those rows.

    Raises:
        SinkNotWritable: no permission, a file in the way, a folder of other files.
        SinkSchemaError: columns, types or partition columns do not fit.
        UnsupportedTable: the table has features that this writer cannot honour.
        SinkError: no place that the workers can write to, or a Connect session.
    """
    if is_connect(spark):
        raise SinkError(
            "the Delta sink needs a classic Spark session, this one is Spark Connect",
            where="sink.format",
            fix="use sink.format: table, or a session with a JVM of its own",
        )
    try:
        txn = DeltaTransaction(spark, path)
        done = txn.done(app_id, version)
        s3 = s3_options(spark, "{}:{}".format(*txn.address))
        root = root_of(*txn.address, s3)
        if done:
            return Target(txn, app_id=app_id, version=version, root=root, s3=s3, plan=None, old=[])
        check_root(root, table_exists=txn.version >= 0, s3=s3)
        plan = plan_table(
            txn,
            schema,
            root=root,
            replace=mode == "replace",
            partition=partition or {},
            partition_by=partition_by,
            merge=on_schema_change == "merge",
            column_mapping=column_mapping,
            s3=s3,
        )
        old = txn.files(plan.predicates) if plan.replace else []
    except FROM_SPARK as error:
        name, line = java_failure(error)
        if name in UNKNOWN_PROTOCOL:
            raise UnsupportedTable(line, where=path, fix="use a newer Delta") from error
        raise SinkNotWritable(
            f"the table cannot be opened: {line} ({name})",
            where=path,
            fix="check the path, its permissions and the table's log",
        ) from error
    return Target(txn, app_id=app_id, version=version, root=root, s3=s3, plan=plan, old=old)


class Target:
    """A table with a transaction begun: `layout` for the tasks, then `commit` or `abandon`."""

    def __init__(
        self,
        txn: DeltaTransaction,
        *,
        app_id: str,
        version: int,
        root: str,
        s3: S3Options | None,
        plan: TablePlan | None,
        old: list[JavaObject],
    ) -> None:
        self._txn, self._app_id, self._app_version = txn, app_id, version
        self._root, self._s3, self._plan, self._old = root, s3, plan, old
        self._in_doubt = False

    @property
    def already_done(self) -> bool:
        """Whether the log has this run already: then there is nothing to do, and no `layout`."""
        return self._plan is None

    @property
    def table_version(self) -> int:
        """The version of the table that was read; -1 for a new one."""
        return self._txn.version

    @property
    def layout(self) -> Layout:
        """What the tasks need to know."""
        return self._planned.layout

    @property
    def _planned(self) -> TablePlan:
        if self._plan is None:
            raise SinkError(
                "the run is committed already", where=self._root, fix="see already_done"
            )
        return self._plan

    def describe(self) -> dict[str, Any]:
        """What would happen, for `--plan`: the table, its version, and what would be removed.

        `rows` is None where a file of the table has no statistics.
        """
        plan = self._plan
        actions = [json.loads(f.json())["add"] for f in self._old]
        counts = [_rows(action) for action in actions]
        known = [count for count in counts if count is not None]
        return {
            "root": self._root,
            "exists": self._txn.version >= 0,
            "version": self._txn.version if self._txn.version >= 0 else None,
            "already_done": self.already_done,
            "replaces": plan.shown or "the whole table" if plan and plan.replace else "nothing",
            "partitioned_by": [p.name for p in plan.layout.partitions] if plan else [],
            "new_columns": list(plan.new_columns) if plan else [],
            "removes": {
                "files": len(actions),
                "rows": sum(known) if len(known) == len(counts) else None,
                "partitions": len({json.dumps(a["partitionValues"]) for a in actions}),
            },
        }

    def commit(
        self,
        reports: Iterable[FileReport],
        *,
        metadata: Mapping[str, Any],
        metrics: Mapping[str, int] | None = None,
    ) -> int:
        """The version with the run's rows: the old files out, the new ones in, at once.

        `metadata` becomes the commit's user metadata, as JSON; `metrics` join Delta's own in the
        history as far as Delta knows their names. Where this very run was committed meanwhile, by
        another process or by a commit whose answer was lost, that commit's version is returned and
        the files of this attempt are deleted if they are not its own.

        Raises:
            SinkSchemaError: rows for another partition, or a null in a NOT NULL column.
            CommitConflict: another writer changed what this run read; nothing was committed.
            SinkError: Delta refused the commit, or whether it took place is not known.
        """
        plan, files = self._planned, list(reports)
        plan.check(files)
        actions: list[dict[str, Any]] = [_add(f) for f in files]
        transaction = {"appId": self._app_id, "version": self._app_version}
        actions.append({"txn": {**transaction, "lastUpdated": int(time.time() * 1000)}})
        counts = {
            "numFiles": len(files),
            "numOutputRows": sum(f.rows for f in files),
            "numOutputBytes": sum(f.size for f in files),
            "numRemovedFiles": len(self._old),
        }
        write = {
            "mode": "Overwrite" if plan.replace else "Append",
            "partition_by": [p.name for p in plan.layout.partitions],
            "predicate": plan.shown,
            "user_metadata": json.dumps(metadata, default=str, ensure_ascii=False),
        }
        self._in_doubt = True
        try:
            version = self._txn.commit(
                removed=self._old,
                actions=actions,
                write=write,
                metrics={**counts, **(metrics or {})},
            )
        except FROM_SPARK as error:
            return self._after_failure(error, files)
        return version

    def abandon(self, reports: Iterable[FileReport]) -> None:
        """Delete the files, as far as it goes; not where a commit may have named them."""
        if self._in_doubt:
            return
        system, root = open_address(self._root, self._s3)
        for report in reports:
            with contextlib.suppress(OSError):
                system.delete_file(f"{root}/{unquote(report.path)}")

    def _after_failure(self, error: Exception, files: list[FileReport]) -> int:
        """The version of the commit that did take place; otherwise the failure, in our words."""
        name, line = java_failure(error)
        try:
            newest, recorded = self._txn.recorded(self._app_id)
        except FROM_SPARK:
            raise SinkError(
                f"the commit failed, and whether it took place cannot be read: {line}",
                where=self._root,
                fix="run the same command again: it is recognised if it did",
            ) from error
        if recorded >= self._app_version:
            return self._commit_of_this_run(newest, files)
        self._in_doubt = False
        if name in CONFLICTS:
            raise CommitConflict(
                f"another writer changed what this run read: {line} ({name})",
                where=self._root,
                fix="nothing was committed; run the same command again",
            ) from error
        raise SinkError(
            f"Delta refused the commit: {line} ({name})",
            where=self._root,
            fix="nothing was committed; mend the cause and run the same command again",
        ) from error

    def _commit_of_this_run(self, newest: int, files: list[FileReport]) -> int:
        """The version whose log entry has our transaction; files that it does not name go."""
        system, root = open_address(self._root, self._s3)
        for version in range(self._txn.version + 1, newest + 1):
            with contextlib.suppress(OSError):  # cleaned up, or compacted
                with system.open_input_stream(f"{root}/_delta_log/{version:020d}.json") as stream:
                    actions = [json.loads(line) for line in stream.read().splitlines() if line]
                if any(a.get("txn", {}).get("appId") == self._app_id for a in actions):
                    named = {a["add"]["path"] for a in actions if "add" in a}
                    self._in_doubt = False
                    self.abandon(f for f in files if f.path not in named)
                    self._in_doubt = True
                    return version
        return newest


def _add(report: FileReport) -> dict[str, Any]:
    return {
        "add": {
            "path": report.path,
            "partitionValues": dict(report.partition_values),
            "size": report.size,
            "modificationTime": report.modification_time_ms,
            "dataChange": True,
            "stats": report.stats,
        }
    }


def _rows(action: Mapping[str, Any]) -> int | None:
    stats = json.loads(action.get("stats") or "{}")
    if "numRecords" not in stats:
        return None
    deleted = (action.get("deletionVector") or {}).get("cardinality", 0)
    return int(stats["numRecords"]) - int(deleted)
