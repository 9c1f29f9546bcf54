"""Write down the digest of a model, for scoring code to compare."""

from __future__ import annotations

from pathlib import Path

from sparkml.errors import ConfigError
from sparkml.models.address import parse_address
from sparkml.models.artifact import fetch
from sparkml.models.digest import FILE, TAG, promised_in
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
    if address.kind != "path":
        # The version whose files were read: an alias may mean another one by now.
        pinned = parse_address(found.uri)
        set_tag(pinned, TAG, found.digest, tracking_uri=tracking_uri, registry_uri=registry_uri)
    elif path.is_dir():
        (path / FILE).write_text(f"{found.digest}\n", encoding="utf-8")
    else:
        _write_beside(path, found.digest)
    return found.digest


def _write_beside(path: Path, digest: str) -> None:
    """Put the file's line into the note of its folder; what is promised of others stays."""
    note = path.parent / FILE
    lines = note.read_text(encoding="utf-8").splitlines() if note.is_file() else []
    others = [line for line in lines if line.strip() and not promised_in(line, path.name)]
    text = "".join(f"{line}\n" for line in [*others, f"{digest}  {path.name}"])
    note.write_text(text, encoding="utf-8")
