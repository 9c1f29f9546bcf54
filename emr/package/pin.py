"""A scoring job's models, each pinned: an alias → a version, its digest, and its files if need be.

The alias is looked up once, here: what the step runs tomorrow is what it meant today. Where the
cluster cannot reach a model's registry, its files travel with the run, and the configuration keeps
the version that they are of, so that the output still tells which model gave which score.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from emr.package.checksum import checksums
from emr.package.manifest import PackedFile, model_address
from sparkml.errors import ConfigError
from sparkml.files import scheme_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from emr.package.matched import Found
    from sparkml.config.job import JobConfig, ModelEntry, Registry

Ship = Literal["auto", "always", "never"]

_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """The configuration with its models pinned; the files and folders that go along with it."""

    config: JobConfig
    files: tuple[PackedFile, ...]
    models: tuple[str, ...]
    found: Mapping[str, Found]
    """Each model's name → its files here."""


def pin_models(config: JobConfig, *, ship: Ship, artifacts: str) -> Pinned:
    """The configuration with every model's version and digest written down.

    Costs one look-up a model, and one copy of its files into this host's cache: only who has read
    them knows their digest. `auto` ships what the cluster cannot reach: a local registry, a model
    on this machine.

    Raises:
        ModelError: a model cannot be found, or is not what was promised, in the configuration's
            own `digest` among others.
        ConfigError: `never`, and the cluster cannot reach a model.
    """
    registry = _registry(config.registry)
    pinned = {
        name: _pin(name, entry, registry, trust=config.trust, ship=ship, artifacts=artifacts)
        for name, entry in config.models.items()
    }
    shipped = all(one.folder for one in pinned.values())
    changes = {
        "models": {name: one.entry for name, one in pinned.items()},
        "registry": type(registry)() if shipped else registry,
    }
    return Pinned(
        config=config.model_copy(update=changes),
        files=tuple({f.key: f for one in pinned.values() for f in one.files}.values()),
        models=tuple(dict.fromkeys(one.folder for one in pinned.values() if one.folder)),
        found={name: one.found for name, one in pinned.items()},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _One:
    entry: ModelEntry
    found: Found
    folder: str = ""
    files: tuple[PackedFile, ...] = ()


def _pin(
    name: str, entry: ModelEntry, registry: Registry, *, trust: str, ship: Ship, artifacts: str
) -> _One:
    from sparkml.models.address import parse_address
    from sparkml.models.artifact import fetch
    from sparkml.models.digest import check_promise, model_files
    from sparkml.models.identify import identify
    from sparkml.models.mlmodel import read_mlmodel
    from sparkml.models.registry import resolve

    address = parse_address(entry.uri)
    tracking, registered = registry.tracking_uri, registry.registry_uri
    if address.kind == "path":
        uri, local = entry.uri, scheme_of(entry.uri) in ("", "file")
    else:
        known = resolve(address, tracking_uri=tracking, registry_uri=registered)
        uri = known.uri
        local = _is_local(registered or tracking) or scheme_of(known.source) in ("", "file")
    if ship == "never" and local:
        raise ConfigError(
            f"the cluster cannot reach the model {uri}, and ship_model is 'never'",
            where=f"models.{name}.uri",
            fix="leave ship_model at auto, or register the model where the cluster can ask",
        )
    found = fetch(uri, tracking_uri=tracking, registry_uri=registered)
    # A digest that the configuration names is a promise too, and is never written over.
    check_promise(entry.digest or "", found.digests, where=f"models.{name}: {uri}")
    description = read_mlmodel(found.folder)
    here = found.folder, description, identify(found.folder, description, entry.flavor, where=uri)
    update: dict[str, str | None] = {"uri": uri, "digest": found.digest}
    if trust == "promised" and not (entry.digest or found.promised):
        del update["digest"]  # on the cluster it would be the promise that nobody made
    if ship == "never" or (ship == "auto" and not local):
        return _One(entry=entry.model_copy(update=update), found=here)
    folder = model_address(artifacts, found.digest)
    update["uri"] = folder
    update["origin"] = entry.origin or (None if address.kind == "path" else uri)
    listed = model_files(found.folder)
    files = tuple(_packed(f"{folder}/{relative}", path) for relative, path in listed)
    return _One(entry=entry.model_copy(update=update), found=here, folder=folder, files=files)


def _packed(key: str, path: Path) -> PackedFile:
    sums = checksums(path)
    return PackedFile(
        role="model", key=key, sha256=sums.sha256, bytes=sums.bytes, checksum=sums.s3, path=path
    )


def _registry(given: Registry) -> Registry:
    """The registry's addresses, also where this machine's environment tells them."""
    tracking = given.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or None
    registry = given.registry_uri or (
        None if given.tracking_uri else os.environ.get("MLFLOW_REGISTRY_URI") or None
    )
    return given.model_copy(update={"tracking_uri": tracking, "registry_uri": registry})


def _is_local(tracking_uri: str | None) -> bool:
    """Whether only this machine can ask that server; MLflow's default is a local folder."""
    if not tracking_uri:
        return True
    if tracking_uri.startswith("databricks"):
        return False
    local_file = scheme_of(tracking_uri) in ("", "file", "sqlite")
    return local_file or urlsplit(tracking_uri).hostname in _THIS_MACHINE
