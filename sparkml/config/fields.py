"""The kinds of value that several sections of a configuration share, and the base of a section."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from sparkml.addresses import mistake_in
from sparkml.redaction import credentials_in, safe_line


class Section(BaseModel):
    """A part of the configuration: frozen, strictly typed, and with no key that it does not know.

    A null stands for the default, so that `spark:` with everything below it commented out is fine.
    A key whose name pydantic claims for itself (`schema`, `model_config`) has a trailing underscore
    in Python only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, data: object) -> object:
        if isinstance(data, Mapping):
            return {key: value for key, value in data.items() if value is not None}
        return data


def shown(value: object) -> str:
    """A value as an error quotes it: short, text in quotes, and no secret."""
    words = {"None": "null", "True": "true", "False": "false"}
    return safe_line(words.get(repr(value), repr(value)), 60)


def formed(pattern: str, words: str, fix: str) -> AfterValidator:
    """Text that a pattern matches whole; an error says the form in words.

    Args:
        pattern: a regular expression.
        words: what the text must be: `a folder on S3`.
        fix: what to do where it is not: `write s3://bucket/prefix`.
    """

    def check(text: str) -> str:
        if re.fullmatch(pattern, text):
            return text
        raise PydanticCustomError("form", "must be {words}", {"words": words, "fix": fix})

    return AfterValidator(check)


def _without_credentials(address: str) -> str:
    found = credentials_in(address)
    if found:
        # Not repeated, and where: it would stand in rows, commits and outcomes, for all to read.
        words = f"holds {found}, and would be written down where others read"
        fix = "leave it out; settings of Spark (spark.conf), the environment or a role give access"
        raise PydanticCustomError("credentials", "{words}", {"words": words, "fix": fix})
    return address


def _well_formed(*, mlflow: bool = False, file: bool = False) -> AfterValidator:
    """An address that some store may have; an error says the form to write."""

    def check(address: str) -> str:
        found = mistake_in(address, mlflow=mlflow, file=file)
        if found:
            _without_credentials(found[1])  # which the wrong form hid
            words = f"must be {found[0]}, not {shown(address)}"
            context = {"words": words, "fix": f"write {found[1]}"}
            raise PydanticCustomError("address", "{words}", context)
        return address

    return AfterValidator(check)


def parse_names(value: object) -> tuple[str, ...]:
    """Column names from a list of them, or from one alone.

    Raises:
        ValueError: something else stands there, or a name stands there twice.
    """
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list | tuple):
        raise ValueError(f"must be a list of column names, not {shown(value)}")
    for name in listed:
        if not isinstance(name, str) or not name:
            raise ValueError(f"must hold column names only, not {shown(name)}")
    twice = sorted({name for name in listed if listed.count(name) > 1})
    if twice:
        raise ValueError(f"names {shown(twice[0])} twice")
    return tuple(listed)


def _some_names(value: object) -> tuple[str, ...]:
    names = parse_names(value)
    if not names:
        raise ValueError("must name at least one column")
    return names


def _plain_text(value: object) -> object:
    """Spark's options and settings are text: `true` and `8` may be written without quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Text = Annotated[str, StringConstraints(min_length=1)]
"""Text that says something."""

Address = Annotated[Text, AfterValidator(_without_credentials), _well_formed()]
"""Where something is: a path or an address without passwords, tokens and keys in it."""

FileAddress = Annotated[Text, AfterValidator(_without_credentials), _well_formed(file=True)]
"""The address of one file."""

MlflowAddress = Annotated[Text, AfterValidator(_without_credentials), _well_formed(mlflow=True)]
"""An address that MLflow may read: `models:/…` and `runs:/…`, besides any other."""

Label = Annotated[Text, BeforeValidator(lambda v: str(v) if type(v) is int else v)]
"""Text that may look like a whole number, such as a date without dashes."""

Names = Annotated[tuple[str, ...], BeforeValidator(parse_names)]
"""Column names; one name alone may stand without a list."""

SomeNames = Annotated[tuple[str, ...], BeforeValidator(_some_names)]
"""Column names, at least one."""

Options = Mapping[Text, Annotated[str, BeforeValidator(_plain_text)]]
"""Options of a reader, a writer or a session, each as the text that Spark takes."""

Free = Mapping[str, Any]
"""A mapping whose keys are not ours."""

AsTuple = BeforeValidator(_listed)
"""Lets a YAML list become a tuple, which strict validation would refuse."""
