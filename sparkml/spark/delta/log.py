"""Delta's own transaction through py4j: the one place that touches Delta's classes.

What differs between Delta 4.0 and 4.4 is met here, by reflection: `DeltaOperations.Write` gains
optional parameters with each release, and the metrics of an operation are what each release knows.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

from pyspark.sql.types import StructType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from py4j.java_gateway import JavaObject
    from pyspark.sql import SparkSession

PACKAGE = "org.apache.spark.sql.delta"


class DeltaTransaction:
    """A transaction on the table at `path`; what others commit from now on is a conflict.

    Runs on the driver of a classic session. Each file that is removed or added costs two or three
    calls into the JVM, some 0.3 ms each.
    """

    def __init__(self, spark: SparkSession, path: str) -> None:
        self._spark = spark
        jvm: Any = spark._jvm  # noqa: SLF001 - the JVM is reached no other way
        self._jvm = jvm
        self._session = spark._jsparkSession  # noqa: SLF001
        # Delta asks for the active session of the thread, which may be another one.
        self._jvm.org.apache.spark.sql.classic.SparkSession.setActiveSession(self._session)
        self._log = self._module(f"{PACKAGE}.DeltaLog").forTable(self._session, path)
        self._txn = self._log.startTransaction()
        self._action = self._module(f"{PACKAGE}.actions.Action")

    @property
    def address(self) -> tuple[str, str]:
        """The table's folder as Hadoop qualified it: its scheme, and the rest of its address."""
        uri = self._log.dataPath().toUri()
        authority = uri.getAuthority()
        rest = uri.getPath() if authority is None else f"//{authority}{uri.getPath()}"
        return uri.getScheme() or "file", rest

    @property
    def version(self) -> int:
        """The version that this transaction reads; -1 where there is no table."""
        return int(self._txn.readVersion())

    @property
    def metadata(self) -> dict[str, Any]:
        """The table's `metaData` action, as it will be after this transaction."""
        found: dict[str, Any] = json.loads(self._txn.metadata().json())["metaData"]
        return found

    @property
    def schema(self) -> StructType:
        """The table's columns, with the metadata of each."""
        text = self.metadata.get("schemaString")
        return StructType.fromJson(json.loads(text)) if text else StructType()

    @property
    def features(self) -> set[str]:
        """The table features that the table needs: by its version, and written out.

        Those that are written out may be unknown to this Delta, which then leaves them out.
        """
        protocol = self._txn.protocol()
        written: dict[str, Any] = json.loads(protocol.json())["protocol"]
        known = self._java(protocol.implicitlyAndExplicitlySupportedFeatures())
        listed = [*written.get("readerFeatures", ()), *written.get("writerFeatures", ())]
        return {feature.name() for feature in known} | set(listed)

    def done(self, app_id: str, version: int) -> bool:
        """Whether the log has this application transaction; a conflict if it gets it meanwhile."""
        return int(self._txn.txnVersion(app_id)) >= version

    def update_metadata(self, changes: Mapping[str, Any]) -> None:
        """Give the table other metadata, or a first one, in this transaction's commit."""
        new = {
            "id": str(uuid.uuid4()),
            "format": {"provider": "parquet", "options": {}},
            "partitionColumns": [],
            "configuration": {},
            "createdTime": int(time.time() * 1000),
        }
        metadata = {**(new if self.version < 0 else self.metadata), **changes}
        action = self._action.fromJson(json.dumps({"metaData": metadata}))
        self._txn.updateMetadata(action, False)

    def files(self, predicates: Sequence[str]) -> list[JavaObject]:
        """The files whose partition meets all predicates (all files where there are none).

        The read is registered: a file that another writer adds or removes there is a conflict.
        """
        parser = self._session.sessionState().sqlParser()
        parsed = self._seq([parser.parseExpression(p) for p in predicates or ["true"]])
        return list(self._java(self._txn.filterFiles(parsed, True)))  # with the number of rows

    def commit(
        self,
        *,
        removed: Iterable[JavaObject],
        actions: Iterable[Mapping[str, Any]],
        write: Mapping[str, Any],
        metrics: Mapping[str, int],
    ) -> int:
        """The version that the commit made; raises what Delta raises.

        `write` has `mode`, `partition_by`, `predicate` and `user_metadata`; they and `metrics` are
        what `DESCRIBE HISTORY` shows.
        """
        now = int(time.time() * 1000)
        all_actions = [f.removeWithTimestamp(now, True) for f in removed]
        all_actions += [self._action.fromJson(json.dumps(a)) for a in actions]
        self._register(metrics)
        return int(self._txn.commit(self._seq(all_actions), self._write(**write)))

    def recorded(self, app_id: str) -> tuple[int, int]:
        """The newest version of the table, and of the application transaction in it (-1: none)."""
        none = self._jvm.scala.Option.empty()
        snapshot = self._log.update(False, none, none)
        found = snapshot.transactions().get(app_id)
        return int(snapshot.version()), int(found.get()) if found.isDefined() else -1

    def _write(
        self, *, mode: str, partition_by: Sequence[str], predicate: str | None, user_metadata: str
    ) -> JavaObject:
        some, none = self._jvm.scala.Option.apply, self._jvm.scala.Option.empty
        arguments = [
            getattr(self._jvm.org.apache.spark.sql.SaveMode, mode),
            some(self._seq(list(partition_by))),
            none() if predicate is None else some(predicate),
            some(user_metadata),
        ]
        constructor = self._class(f"{PACKAGE}.DeltaOperations$Write").getConstructors()[0]
        count = constructor.getParameterCount()
        gateway: Any = self._spark.sparkContext._gateway  # noqa: SLF001
        array = gateway.new_array(self._jvm.java.lang.Object, count)
        for i in range(count):
            array[i] = arguments[i] if i < len(arguments) else none()
        return constructor.newInstance(array)

    def _register(self, metrics: Mapping[str, int]) -> None:
        context = self._spark.sparkContext._jsc.sc()  # noqa: SLF001
        create = self._jvm.org.apache.spark.sql.execution.metric.SQLMetrics.createMetric
        found = self._jvm.java.util.HashMap()
        for name, value in metrics.items():
            metric = create(context, name)
            metric.set(value)
            found.put(name, metric)
        of = getattr(self._module("scala.collection.immutable.Map"), "from")
        self._txn.registerSQLMetrics(self._session, of(self._converters.asScala(found)))

    @property
    def _converters(self) -> Any:
        return self._jvm.scala.jdk.javaapi.CollectionConverters

    def _seq(self, items: Iterable[Any]) -> JavaObject:
        java_list = self._jvm.java.util.ArrayList()
        for item in items:
            java_list.add(item)
        return self._converters.asScala(java_list).toSeq()

    def _java(self, scala_collection: JavaObject) -> Any:
        return self._converters.asJava(scala_collection)

    def _class(self, name: str) -> JavaObject:
        # Jars that come with `--packages` are seen by the thread's class loader alone.
        loader = self._jvm.java.lang.Thread.currentThread().getContextClassLoader()
        return self._jvm.java.lang.Class.forName(name, True, loader)

    def _module(self, name: str) -> JavaObject:
        return self._class(f"{name}$").getField("MODULE$").get(None)
