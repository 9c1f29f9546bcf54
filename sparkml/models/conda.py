"""conda's dependencies as lines of a requirements file, as far as both mean the same library."""

from __future__ import annotations

import re

from sparkml.models import FLAVORS

_NAMES = {
    **{name: name for row in FLAVORS for name in row.libraries},
    **{name: name for name in ("cloudpickle", "joblib", "skops")},
    "pytorch": "torch",
    "py-xgboost": "xgboost",
}
"""conda's name of a library → the package index's: any other may be a stranger's there."""
_ITS_OWN = frozenset({"python", "pip", "setuptools", "wheel"})
"""What every environment of conda's has; the Python is compared by itself."""

_ENTRY = re.compile(r"\s*(?:[\w./:-]+::)?([\w.-]+)\s*(.*?)\s*")
_ONE = re.compile(r"(==?)?\s*(\d[\w.!+]*?)(\.?\*)?((?:\s*=\s*|\s+)[\w.*]+)?")
_BOUND = re.compile(r"\s*(>=|<=|!=|~=|==|>|<)\s*\d[\w.!+]*\s*")


def pip_line(entry: str) -> str:
    """A dependency for pip: `lightgbm=3.3` is `lightgbm==3.3.*`; empty for what is conda's own.

    Raises:
        ValueError: it is not known what it is there.
    """
    found = _ENTRY.fullmatch(entry)
    if not found:
        raise ValueError("is no dependency")
    name, version = found[1].lower(), found[2]
    if name in _ITS_OWN:
        return ""
    if name not in _NAMES:
        raise ValueError("is a package of conda, and may be another library for pip")
    one = _ONE.fullmatch(version)
    if one:
        equal, exact, star, build = one.groups()
        version = f"=={exact}" if build or not (star or equal == "=") else f"=={exact}.*"
    elif version and not all(map(_BOUND.fullmatch, version.split(","))):
        raise ValueError("has a version that only conda understands")
    return _NAMES[name] + version
