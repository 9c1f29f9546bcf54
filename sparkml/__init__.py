"""Score tables of any size on Apache Spark with the models you already have.

The names below are all there is to learn; each is imported from its room when it is first used, so
`import sparkml` needs neither Spark, MLflow nor a model library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkml.config import JobConfig, load_config
    from sparkml.errors import SparkMLError
    from sparkml.models.read import read_spec
    from sparkml.scoring.cache import load_scorer
    from sparkml.scoring.scorer import Scorer
    from sparkml.spark.features import register_features
    from sparkml.spark.keyed import score_by_key
    from sparkml.spark.score import score
    from sparkml.spark.session import build_session
    from sparkml.spark.sql import register_sql
    from sparkml.spark.training.train_many import train_many
    from sparkml.spark.udf import score_udf
    from sparkml.spec import Field, ModelSpec, Signature

_HOME = {
    "Field": "sparkml.spec",
    "JobConfig": "sparkml.config",
    "ModelSpec": "sparkml.spec",
    "Scorer": "sparkml.scoring.scorer",
    "Signature": "sparkml.spec",
    "SparkMLError": "sparkml.errors",
    "build_session": "sparkml.spark.session",
    "load_config": "sparkml.config",
    "load_scorer": "sparkml.scoring.cache",
    "read_spec": "sparkml.models.read",
    "register_features": "sparkml.spark.features",
    "register_sql": "sparkml.spark.sql",
    "score": "sparkml.spark.score",
    "score_by_key": "sparkml.spark.keyed",
    "score_udf": "sparkml.spark.udf",
    "train_many": "sparkml.spark.training.train_many",
}

__all__ = [
    "Field",
    "JobConfig",
    "ModelSpec",
    "Scorer",
    "Signature",
    "SparkMLError",
    "build_session",
    "load_config",
    "load_scorer",
    "read_spec",
    "register_features",
    "register_sql",
    "score",
    "score_by_key",
    "score_udf",
    "train_many",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("sparkml")
        except PackageNotFoundError:  # shipped by --py-files, as a zip without metadata
            return "unknown"
    if name not in _HOME:
        msg = f"module 'sparkml' has no attribute '{name}'"
        raise AttributeError(msg)
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
