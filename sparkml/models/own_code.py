"""The Python modules that a model brings: importable while it is opened and scores, for it alone.

Python knows a module by its name, once a process. Two models whose modules share a name, or a model
and the job that scores it, would get each other's. So what a model imported out of its own folder
is taken out of `sys.modules` when its turn ends, and put back for the next: also what it imports
only when it predicts.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib.machinery import EXTENSION_SUFFIXES, all_suffixes
from threading import RLock
from typing import TYPE_CHECKING, Any

from sparkml.models.mlmodel import inside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    import pyarrow as pa

    from sparkml.models.base import Predictor
    from sparkml.models.mlmodel import MLmodel

_TURN = RLock()
"""`sys.modules` is the process's: one model at a time has its own modules there."""


BRING = frozenset({"lightgbm", "python_function", "pytorch", "sklearn", "statsmodels"})
"""The keys of an `MLmodel` whose `code` names a folder of modules that we import from."""


def own_code(
    folder: Path, description: MLmodel | None, key: str, *, runs_code: bool
) -> OwnCode | None:
    """The modules of the model in `folder`; None where it brings none.

    `key` is its flavor's in the `MLmodel`. A model that `runs_code` when it is opened may have
    some; any other gets nothing onto the import path.

    Raises:
        UntrustedModel: the flavor's `code` leads out of the folder.
        ModelUnreadable: there is no such folder.
    """
    if description is None or not runs_code or key not in BRING:
        return None
    code = description.flavors[key].get("code")
    # MLflow's own loaders import from anywhere in the folder, other flavors from `code` alone.
    if not code and key != "python_function":
        return None
    return OwnCode(folder, inside(folder, code, key="code", kind="folder") if code else None)


class OwnCode:
    """The modules of one open model, and the folder on the import path that they come from."""

    def __init__(self, folder: Path, path: Path | None) -> None:
        self._root = f"{folder.absolute()}/"
        self._places = [str(path.absolute())] if path else []
        self._brings = _brought(path) if path else frozenset()
        self._modules: dict[str, ModuleType] = {}

    @contextmanager
    def present(self) -> Iterator[None]:
        """Where the model's own modules are what `import` finds, and everyone's before and after.

        No byte code is written: it would land in the model's folder, and the folder's digest would
        no longer be the model's.
        """
        with _TURN:
            hidden = {name: sys.modules.pop(name) for name in self._hidden()}
            before = set(sys.modules)
            paths, byte_code = list(sys.path), sys.dont_write_bytecode
            sys.modules.update(self._modules)
            sys.path[:0], sys.dont_write_bytecode = self._places, True
            try:
                yield
            finally:
                self._places = list(dict.fromkeys(filter(self._is_inside, sys.path)))
                others = [p for p in sys.path if not self._is_inside(p)]
                sys.path[:] = [*others, *filter(self._is_inside, paths)]
                sys.dont_write_bytecode = byte_code
                new = [name for name in list(sys.modules) if name not in before]
                own = [name for name in new if self._is_own(name, sys.modules[name])]
                self._modules = {name: sys.modules.pop(name) for name in own}
                sys.modules.update(hidden)

    def around(self, predictor: Predictor) -> Predictor:
        """`predictor`, which finds the model's modules whenever it is called."""
        return _Accompanied(predictor, self)

    def _hidden(self) -> list[str]:
        """The modules of others that bear names of this model's."""
        brings, own = self._brings, self._modules
        return [n for n in list(sys.modules) if n.partition(".")[0] in brings or n in own]

    def _is_own(self, name: str, module: ModuleType) -> bool:
        if name.partition(".")[0] in self._brings:
            return True
        told = getattr(module, "__dict__", {})  # asked for an attribute, a lazy one would import
        return any(map(self._is_inside, [told.get("__file__"), *(told.get("__path__") or ())]))

    def _is_inside(self, place: Any) -> bool:
        return f"{place}/".startswith(self._root)


class _Accompanied:
    """A predictor with its model's own modules; see `base.Predictor`."""

    def __init__(self, predictor: Predictor, code: OwnCode) -> None:
        self._predictor, self._code = predictor, code

    @property
    def takes_nan(self) -> bool:
        """Whether the model accepts missing values."""
        with self._code.present():
            return self._predictor.takes_nan

    def predict(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """The outputs of `batch`."""
        with self._code.present():
            return self._predictor.predict(batch)


STAY = sys.stdlib_module_names | {"sparkml", "mlflow", "cloudpickle", "joblib"}
"""What opens models, and what everything stands on: one of each a process, as ever."""


def _brought(path: Path) -> frozenset[str]:
    """The names of the modules and packages in `path` that stand before those of others.

    What has compiled parts and is imported stays too: it cannot be loaded twice. So does a package
    before a folder that is none, as in any Python.
    """
    suffixes = sorted(all_suffixes(), key=len, reverse=True)
    names = set()
    for entry in path.iterdir():
        suffix = next((s for s in suffixes if entry.name.endswith(s)), "")
        installed = getattr(sys.modules.get(entry.name), "__file__", None)
        package = entry.is_dir() and ((entry / "__init__.py").is_file() or not installed)
        if suffix or package:
            names.add(entry.name.removesuffix(suffix))
    compiled = {
        name.partition(".")[0]
        for name, module in list(sys.modules.items())
        if str(getattr(module, "__file__", None) or "").endswith(tuple(EXTENSION_SUFFIXES))
    }
    return frozenset(names - compiled - STAY)
