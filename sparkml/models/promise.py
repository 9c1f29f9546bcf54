"""Write down the digest of a model, for scoring code to compare."""

from __future__ import annotations

from pathlib import Path

from sparkml.models.artifact import fetch
from sparkml.models.digest import FILE, TAG
from sparkml.models.registry import set_version_tag


def promise(
    target: str | Path, *, tracking_uri: str | None = None, registry_uri: str | None = None
) -> str:
    """Write down the digest of a model, for `read_spec` to compare; returns it.

    `target` is a registered version (`models:/name/3`, or an alias), which gets the tag
    `sparkml.digest`, or a local folder or file, which gets a `model.sha256` in or beside it.
    """
    found = fetch(str(target), tracking_uri=tracking_uri, registry_uri=registry_uri, compare=False)
    if found.uri.startswith("models:/"):
        set_version_tag(
            found.name,
            found.version,
            TAG,
            found.digest,
            tracking_uri=tracking_uri,
            registry_uri=registry_uri,
        )
    else:
        path = Path(target)
        note = path / FILE if path.is_dir() else path.parent / FILE
        note.write_text(f"{found.digest}\n" if path.is_dir() else f"{found.digest}  {path.name}\n")
    return found.digest
