"""The forms of a model's address, told apart."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from sparkml.errors import ModelNotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a model is.

    `registered`: `name` and either `version` or `alias`. `logged`: `name` is the id, `m-…`.
    `run`: `name` is the run's id and `path` the artifact's. `path`: a folder or file, local or on
    an object store.
    """

    kind: Literal["registered", "logged", "run", "path"]
    uri: str
    name: str = ""
    version: str = ""
    alias: str = ""
    path: str = ""


def parse_address(uri: str) -> Address:
    """The parts of an address.

    Raises:
        ModelNotFound: it has none of the known forms.
    """
    uri = uri.strip()
    if uri.startswith("models:"):
        return _models(uri, uri.removeprefix("models:").strip("/"))
    if uri.startswith("runs:"):
        run, _, path = uri.removeprefix("runs:").strip("/").partition("/")
        if not run or not path:
            raise _malformed(uri, "name the run and the path in it")
        return Address(kind="run", uri=f"runs:/{run}/{path}", name=run, path=path)
    if not uri:
        raise _malformed(uri, "give an address")
    try:
        os.fsencode(urlsplit(uri).geturl())
    except ValueError as error:  # half an IPv6 address, a lone surrogate
        raise _malformed(uri, str(error)) from error
    return Address(kind="path", uri=uri, path=uri)


def version_of(uri: str | None) -> str:
    """The version that an address itself names, as the registry would tell it; else empty.

    Raises:
        ModelNotFound: it has none of the known forms.
    """
    address = parse_address(uri) if uri else Address(kind="path", uri="")
    return address.name if address.kind in ("logged", "run") else address.version


def _models(uri: str, rest: str) -> Address:
    name, slash, version = rest.rpartition("/")
    if slash:
        if not version.isdigit() or "/" in name or not name:
            raise _malformed(uri, f"a version is a number, an alias is models:/{name}@{version}")
        return Address(kind="registered", uri=uri, name=name, version=version)
    name, at, alias = rest.rpartition("@")
    if at:
        if not name or not alias:
            raise _malformed(uri, "name the model and the alias")
        return Address(kind="registered", uri=uri, name=name, alias=alias)
    if rest.startswith("m-"):
        return Address(kind="logged", uri=uri, name=rest)
    raise _malformed(uri, f"say which: models:/{rest}@champion, or models:/{rest}/1")


def _malformed(uri: str, hint: str) -> ModelNotFound:
    forms = "models:/name@alias, models:/name/3, models:/m-…, runs:/run/path, a folder or a file"
    return ModelNotFound(
        f"'{uri}' is no model address ({hint})", where="uri", fix=f"forms: {forms}"
    )
