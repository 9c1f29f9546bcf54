"""Python workers with a model's own libraries (`environment: match`).

Spark keeps a pool of workers for each set of environment variables, and each Python function holds
those of its workers: what `SparkContext.environment` says when it is made. Spark's own PySpark
comes before what PYTHONPATH says there, so that stays the driver's.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sparkml.errors import ConfigError, EnvironmentMismatch
from sparkml.models.sites import packed, present, site_folder
from sparkml.spark._versions import is_connect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    from sparkml.spec import ModelSpec


def environment_of(specs: Iterable[ModelSpec]) -> str:
    """The one environment in which the models are scored; empty where it is the driver's.

    Raises:
        ConfigError: they have several.
    """
    by_name = {spec.environment: spec for spec in specs}
    if len(by_name) > 1:
        first, second, *_ = by_name.values()
        raise ConfigError(
            f"{first.name} and {second.name} need different libraries, and a pass has one set",
            where="models: environment",
            fix="score them in two jobs, or set environment: warn for one of them",
        )
    return next(iter(by_name), "")


def ship_libraries(spark: SparkSession, name: str) -> None:
    """Make an environment reachable from every worker of `spark`; runs on the driver.

    Workers on the driver's own machine (`local[…]`) read the host's cache. All others get one zip
    per executor, through Spark, which unpacks it.

    Raises:
        EnvironmentMismatch: a Spark Connect client, which cannot choose its workers' libraries.
    """
    if name == present():
        return
    if is_connect(spark):
        raise EnvironmentMismatch(
            "a Spark Connect client cannot give workers a model's own libraries",
            where="environment: match",
            fix="use a classic session, install the versions on the server, or set "
            "environment: warn",
        )
    context = spark.sparkContext
    known = context.listArchives
    if not runs_here(context) and not any(one.endswith(f"#{name}") for one in known):
        context.addArchive(f"{packed(name)}#{name}")


@contextmanager
def own_libraries(spark: SparkSession, name: str) -> Iterator[None]:
    """Python functions that this thread makes within have workers with this environment."""
    if name == present():
        yield
        return
    context = spark.sparkContext
    place = str(site_folder(name)) if runs_here(context) else name  # unpacked where executors run
    if not isinstance(context.environment, _Environment):
        context.environment = _Environment(context.environment)
    before = _ahead.set(place)
    try:
        yield
    finally:
        _ahead.reset(before)


_ahead: ContextVar[str] = ContextVar("_ahead", default="")
"""The folder of libraries that come first for what this thread makes now; empty for none."""


class _Environment(dict[str, str]):
    """`SparkContext.environment`, whose PYTHONPATH is the thread's that looks.

    Py4J copies it into Java by its `keys` and its items, in the thread that makes the function.
    """

    def keys(self) -> Any:
        return {*super().keys(), "PYTHONPATH"} if _ahead.get() else super().keys()

    def __getitem__(self, key: str) -> str:
        if key != "PYTHONPATH" or not _ahead.get():
            return super().__getitem__(key)
        return os.pathsep.join(filter(None, [_ahead.get(), self.get(key)]))


def runs_here(context: SparkContext) -> bool:
    """Whether the workers are on the driver's own machine."""
    master = context.master or ""
    return master == "local" or master.startswith("local[")
