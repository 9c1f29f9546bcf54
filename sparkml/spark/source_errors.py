"""Why a source cannot be read, and what helps: Spark's conditions and our advice, in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

EXISTS = "name a source that exists"
_QUERY = "correct the query"
_PARTITIONS = "name a folder in which every file lies under the same partition columns"

CONDITIONS: Mapping[str, str] = {
    "PATH_NOT_FOUND": EXISTS,
    "TABLE_OR_VIEW_NOT_FOUND": EXISTS,
    "SCHEMA_NOT_FOUND": EXISTS,
    "DELTA_TABLE_NOT_FOUND": "name a Delta table that exists, or the format that these files have",
    "DELTA_VERSION_NOT_FOUND": "choose one of these versions, or leave `version` out",
    "REQUIRES_SINGLE_PART_NAMESPACE": "write schema.table; a further catalog must be declared in "
    "spark.conf, as spark.sql.catalog.<its name>",
    "UNABLE_TO_INFER_SCHEMA": "name a folder that holds data files; those whose names begin with "
    "_ or . are not read",
    "CONFLICTING_PARTITION_COLUMN_NAMES": _PARTITIONS,
    "CONFLICTING_DIRECTORY_STRUCTURES": _PARTITIONS,
    "INVALID_PARAMETER_VALUE.CHARSET": "write the file as UTF-8, or set "
    "spark.sql.legacy.javaCharsets to true in spark.conf: any charset that Java knows may be named "
    "then",
    "UNSUPPORTED_DATATYPE": "name a type of Spark's SQL, such as BIGINT, DOUBLE or STRING",
    "PARSE_SYNTAX_ERROR": "correct what is written there",
    "UNRESOLVED_COLUMN": _QUERY,
    "UNRESOLVED_ROUTINE": _QUERY,
    "MALFORMED_RECORD_IN_PARSING": "mend the line; or options: {mode: PERMISSIVE} makes nulls of "
    "what cannot be read",
}
"""A condition of Spark's, or how its name begins → what to do."""

MARKS: Mapping[str, str] = {
    "is not a Parquet file": "it is empty or cut short, as an interrupted copy leaves it: copy it "
    "again, or remove it",
    "Malformed records": CONDITIONS["MALFORMED_RECORD_IN_PARSING"],
    "Malformed CSV record": CONDITIONS["MALFORMED_RECORD_IN_PARSING"],
    "CSV header does not conform": "name the columns in `schema` as the file's first line does; or "
    "options: {enforceSchema: 'true'} takes them by place",
    "No FileSystem for scheme": "name a store that this Spark reads; for S3 it is s3a://, with "
    "hadoop-aws on Spark's class path",
    "FileNotFoundException": "run it again when nobody removes files from it",
    "AccessControlException": "ask for the right to read it",
}
"""A mark in the text of what has no condition → what to do."""

OTHERWISE = "mend the file, or leave it out"


def condition(error: BaseException) -> str:
    """The name of Spark's error condition; empty where it has none."""
    of = getattr(error, "getCondition", None) or getattr(error, "getErrorClass", None)
    return str((of() if of else None) or "")


def source_fix(error: BaseException, text: str) -> str:
    """What helps against Spark's failure to read a source; `text` is all that is said of it."""
    name = condition(error)
    for known, fix in CONDITIONS.items():
        if name == known or name.startswith(f"{known}."):
            return fix
    marked = (fix for known, fix in {**CONDITIONS, **MARKS}.items() if known in text)
    return next(marked, OTHERWISE)
