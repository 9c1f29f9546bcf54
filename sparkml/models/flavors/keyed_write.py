"""Writing a keyed model: many models into one folder, the same bytes for the same models."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from sparkml.errors import SinkNotWritable
from sparkml.models.flavors.keyed_file import FLAVOR, FORMAT, INDEX, MODELS, Header, index_schema
from sparkml.models.mlmodel import COLUMN_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sparkml.spec import Field

_MLFLOW_TYPES = {arrow: mlflow for mlflow, arrow in COLUMN_TYPES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One key: its model, pickled, as a span of a scratch file, or why it has none.

    `key` is None for the global model.
    """

    key: tuple[Any, ...] | None
    rows: int
    start: int = 0
    length: int | None = None
    score: float | None = None
    code: str | None = None
    message: str | None = None


def write_keyed(
    folder: Path,
    header: Header,
    entries: Iterable[Entry],
    scratch: BinaryIO,
    *,
    versions: Mapping[str, str],
) -> None:
    """Write the folder of a keyed model; what stood there is replaced once all is written.

    Runs on the driver; costs one copying of the models out of `scratch`. `versions` are those of
    the libraries that made them, `python` among them.

    Raises:
        SinkNotWritable: the folder cannot be written.
    """
    # The global model, which has no key, stands last.
    ordered = sorted(entries, key=lambda e: (e.key is None, e.key))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            _write(made, header, ordered, scratch, versions)
            made.chmod(0o755)  # of a temporary folder, nobody else may read it
            _replace(folder, made)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise SinkNotWritable(
            f"the model cannot be written: {error}", where=str(folder), fix="name another folder"
        ) from error


def _write(
    made: Path,
    header: Header,
    entries: list[Entry],
    scratch: BinaryIO,
    versions: Mapping[str, str],
) -> None:
    rows: list[dict[str, Any]] = []
    names = [f.name for f in header.keys]
    offset = 0
    with (made / MODELS).open("wb") as models:
        for e in entries:
            told: dict[str, Any] = {
                "rows": e.rows,
                "score": e.score,
                "code": e.code,
                "message": e.message,
            }
            told["key"] = dict(zip(names, e.key, strict=True)) if e.key is not None else None
            if e.length is not None:
                scratch.seek(e.start)
                model = scratch.read(e.length)
                models.write(model)
                told |= {"offset": offset, "length": e.length}
                told["sha256"] = hashlib.sha256(model).hexdigest()
                offset += e.length
            rows.append(told)
    table = pa.Table.from_pylist(rows, schema=index_schema(header.keys))
    pq.write_table(table, made / INDEX, compression="zstd")
    python = versions["python"]
    pins = sorted(f"{name}=={v}\n" for name, v in versions.items() if name != "python")
    for name, text in {
        "MLmodel": yaml.safe_dump(_mlmodel(header), sort_keys=False, allow_unicode=True),
        "requirements.txt": "".join(pins),
        "python_env.yaml": f"python: {python}\n",
    }.items():
        (made / name).write_text(text, encoding="utf-8")


def _replace(folder: Path, made: Path) -> None:
    """Put `made` in the place of `folder`: two renames, since a full folder does not give way."""
    if not folder.exists():
        made.rename(folder)
        return
    if not (folder / INDEX).is_file() and any(folder.iterdir()):
        raise FileExistsError("a folder stands there that is no keyed model")
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as old:
        folder.rename(Path(old) / "old")
        made.rename(folder)


def _mlmodel(header: Header) -> dict[str, Any]:
    sides = {
        "inputs": _mlflow_columns((*header.keys, *header.features)),
        "outputs": _mlflow_columns(header.outputs),
    }
    flavor = {
        "format": FORMAT,
        "index": INDEX,
        "models": MODELS,
        **{side: [asdict(f) for f in getattr(header, side)] for side in ("keys", "features")},
        "outputs": [asdict(f) for f in header.outputs],
        "classes": list(header.classes),
    }
    # MLflow's registry shows the signature; ours is the flavor's own, which has every type.
    whole = all(sides.values())
    return {"flavors": {FLAVOR: flavor}} | ({"signature": sides} if whole else {})


def _mlflow_columns(fields: tuple[Field, ...]) -> str:
    """The columns as MLflow writes them down; empty where one has a type that it lacks."""
    columns = []
    for f in fields:
        element = f.type.removeprefix("list<").removesuffix(">")
        if element not in _MLFLOW_TYPES or (f.length is not None):
            return ""
        plain: dict[str, Any] = {"type": _MLFLOW_TYPES[element]}
        kind = {"type": "array", "items": plain} if element != f.type else plain
        columns.append({**kind, "name": f.name, "required": f.required})
    return json.dumps(columns)
