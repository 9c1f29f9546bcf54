"""What a scoring job is: `JobConfig`, and `load_config`, which reads one and keeps the origins.

    job.py        the shape: one frozen model per section
    sources.py    where rows come from
    sinks.py      where scores go
    signature.py  a signature as text or as a mapping, and the null policies
    fields.py     the kinds of value that several sections use
    yaml_text.py  YAML text to plain values, with the line of each
    file.py       a file, read, or why not
    layers.py     defaults < YAML < environment < --set
    mistakes.py   pydantic's errors as sentences

Importing it costs about 0.1 s and needs neither NumPy, Arrow, Spark nor MLflow.
"""

from sparkml.config.job import JobConfig, ModelEntry, Registry, SparkSection, Step, Workers
from sparkml.config.layers import Loaded, load_config
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

__all__ = [
    "CsvSink",
    "CsvSource",
    "DeltaSink",
    "DeltaSource",
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
    "Workers",
    "load_config",
]
