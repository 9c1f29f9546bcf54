"""What a job is: `JobConfig`, `TrainConfig`, and what reads one and keeps the origins.

    job.py        the shape of a scoring job: one frozen model per section
    features.py   the shape of a job that computes features and scores nothing
    train.py      the shape of a training job
    train_many.py the shape of a job that trains a model per key
    sources.py    where rows come from
    sinks.py      where scores go
    signature.py  a signature as text or as a mapping, and the null policies
    fields.py     the kinds of value that several sections use
    yaml_text.py  YAML text to plain values, with the line of each
    file.py       a file, read, or why not
    layers.py     defaults < YAML < environment < --set
    shape.py      the keys of a section, and which of several it is
    mistakes.py   pydantic's errors as sentences

Importing it costs about 0.1 s and needs neither NumPy, Arrow, Spark nor MLflow.
"""

from sparkml.config.features import FeaturesConfig
from sparkml.config.job import JobConfig, ModelEntry, Registry, SparkSection, Step, Workers
from sparkml.config.layers import Loaded, load_as, load_config
from sparkml.config.sinks import CsvSink, DeltaSink, ParquetSink, Sink, TableSink
from sparkml.config.sources import (
    CsvSource,
    DeltaSource,
    ParquetSource,
    PlainSource,
    Source,
    SqlSource,
    TableSource,
)
from sparkml.config.train import TrainConfig
from sparkml.config.train_many import TrainManyConfig

__all__ = [
    "CsvSink",
    "CsvSource",
    "DeltaSink",
    "DeltaSource",
    "FeaturesConfig",
    "JobConfig",
    "Loaded",
    "ModelEntry",
    "ParquetSink",
    "ParquetSource",
    "PlainSource",
    "Registry",
    "Sink",
    "Source",
    "SparkSection",
    "SqlSource",
    "Step",
    "TableSink",
    "TableSource",
    "TrainConfig",
    "TrainManyConfig",
    "Workers",
    "load_as",
    "load_config",
]
