"""Write down the digest of a model, for scoring code to compare."""

from __future__ import annotations

from pathlib import Path

from sparkml.errors import ConfigError
from sparkml.models.address import parse_address
from sparkml.models.artifact import fetch
from sparkml.models.digest import FILE, TAG
from sparkml.models.registry import set_tag


def promise(
    target: str | Path, *, tracking_uri: str | None = None, registry_uri: str | None = None
) -> str:
    """Write down the digest of a model, for `read_spec` to compare; returns it.

    `target` is a registered version (`models:/name/3`, or an alias) or a logged model
    (`models:/m-…`), which gets the tag `sparkml.digest`, or a local folder or file, which gets a
    `model.sha256` in or beside it. Reads the files and writes that one note.

    Raises:
        ConfigError: the target can hold no promise (a run, an object store).
        ModelNotFound: there is no such model.
    """
    address = parse_address(str(target))
    path = Path(target)
    if address.kind == "run" or (address.kind == "path" and not path.exists()):
        raise ConfigError(
            f"nothing can be written down for {target}",
            where="promise",
            fix="promise a registered version, a logged model, or a local folder or file",
        )
    found = fetch(address.uri, tracking_uri=tracking_uri, registry_uri=registry_uri, compare=False)
    if address.kind == "path":
        line = f"{found.digest}\n" if path.is_dir() else f"{found.digest}  {path.name}\n"
        (path if path.is_dir() else path.parent).joinpath(FILE).write_text(line, encoding="utf-8")
    else:
        set_tag(address, TAG, found.digest, tracking_uri=tracking_uri, registry_uri=registry_uri)
    return found.digest
