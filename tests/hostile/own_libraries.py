"""`environment: match`: libraries that a model names and brings, which are nobody's friends."""

from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING
from unittest import mock

from tests.hostile.outcomes import CANARY, RIGHT, Case, Given, as_model
from tests.hostile.tabular import mlflow_folder, skops_bytes, skops_mlmodel

if TYPE_CHECKING:
    from pathlib import Path

UNREADABLE = "MODEL_UNREADABLE"
SOURCE = """
import socket
def tell(said):
    try:
        open(CANARY_FILE, "w").write(said)
    except OSError:
        return
tell("written")
try:
    socket.socket()
except OSError:
    raise ImportError("it is confined")
raise ImportError(CANARY)
"""


def wheel(folder: Path, name: str, files: dict[str, str]) -> None:
    """A wheel of version 99 in a new folder, which uv installs as it is."""
    info = f"{name}-99.0.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 99.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in (*files, f"{info}/RECORD"))
    folder.mkdir()
    with zipfile.ZipFile(folder / f"{name}-99.0-py3-none-any.whl", "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)


def brings(name: str, module: str, source: str = ""):
    """A maker of the skops model that records a library of its own, and of the library's wheel."""

    def make(folder: Path) -> Given:
        canary = repr(str(folder.parent / "canary"))
        told = source.replace("CANARY_FILE", canary).replace("CANARY", repr(CANARY))
        wheel(folder / "wheels", name, {f"{module}/__init__.py": told})
        made = mlflow_folder(folder, skops_mlmodel(), model__skops=skops_bytes())
        (made / "requirements.txt").write_text(f"{name}==99.0")
        return Given(uri=str(made), options={"environment": "match"})

    return make


def beside_the_wheels(given: Given, trust: str) -> None:
    """As a model, where uv finds the wheels that lie beside it."""
    with mock.patch.dict(os.environ, UV_FIND_LINKS=os.path.join(given.uri, "..", "wheels")):  # noqa: PTH118
        as_model(given, trust)


CASES = (
    Case(
        "a library of its own that writes and connects",
        brings("skops", "skops", SOURCE),
        UNREADABLE,
        "always",
        beside_the_wheels,
    ),
    Case(
        "the same, and the model may run no code",
        brings("skops", "skops", SOURCE),
        "MODEL_REFUSED",
        "never",
        beside_the_wheels,
    ),
    *(
        Case(
            f"a library of its own that hides {module}",
            brings("acme_connect", module),
            "MODEL_ENVIRONMENT",
            "always",
            beside_the_wheels,
        )
        for module in ("pyspark", "py4j", "delta", "sparkml", "mlflow")
    ),
    Case(
        "benign: a library of its own",
        brings("acme_connect", "acme"),
        RIGHT,
        "always",
        beside_the_wheels,
    ),
)
