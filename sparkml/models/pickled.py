"""The modules that a pickle imports, read from its instructions: nothing is imported or run.

What loading would do is followed as far as names need it: strings, tuples, and the arrays that
joblib writes between the instructions, whose size must be known to find where these go on. A file
is read within bounds, and what cannot be followed gives no names.
"""

from __future__ import annotations

import io
import math
import pickletools
import re
import zipfile
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from sparkml.models.pickle_stack import (
    Global,
    Made,
    Unfollowed,
    given_by,
    is_array,
    item_size,
    taken_by,
    whole_number,
)
from sparkml.models.unpacked import check_bounded, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MOST_OPCODES = 1_000_000
MOST_BYTES = 2 << 30
"""Of what is unpacked."""
MOST_NAMES = 10_000
LONGEST = 1 << 16
"""Bytes and texts beyond that are passed over unread."""
LONGEST_NAME = 1_000
MOST_TEXT = 32 << 20
"""Characters of all texts and names that are kept while a file is read."""
MOST_MEMBERS = 4
"""Of an archive: `torch.save` writes one pickle."""
DEEPEST = 20
"""How often an array of objects may hold one more."""

IMPORTERS = frozenset({
    ("cloudpickle.cloudpickle", "subimport"), ("importlib", "import_module"),
    ("builtins", "__import__"),
})  # fmt: skip
"""Functions that import the module that they are called with."""

_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_LENGTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1, pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4, pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}  # fmt: skip
_OPCODES = {ord(op.code): op for op in pickletools.opcodes}


def imported_by(path: Path, *, many: bool = False) -> Mapping[str, str]:
    """Each module that the pickle in a file names → one of the names that it takes from it.

    Of joblib (compressed or not), pickle, cloudpickle, and the pickles in the archives that
    `torch.save` writes. Empty where the file is none of these, or is damaged. `many`: the file
    holds pickles one after the other.
    """
    try:
        with path.open("rb") as file:
            return _found(file, many=many)
    # A damaged archive raises whatever its bytes happen to ask for, and lacks nothing for certain.
    except Exception:  # noqa: BLE001
        return {}


def _found(file: BinaryIO, *, many: bool) -> Mapping[str, str]:
    start = file.read(8)
    file.seek(0)
    names: dict[str, str] = {}
    if start[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(file) as archive:
            pickles = [one for one in archive.infolist() if one.filename.endswith("/data.pkl")]
            for member in pickles[:MOST_MEMBERS]:
                check_bounded(member)
                with archive.open(member) as packed:
                    names |= _Reader(cast("BinaryIO", packed)).names(many=False)
        return names
    return _Reader(unpacked(file, start)).names(many=many)


class _Reader:
    """One file's pickles, followed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left, self._opcodes = file, MOST_BYTES, 0
        self._text = MOST_TEXT
        self._names: dict[str, str] = {}

    def names(self, *, many: bool) -> dict[str, str]:
        """The modules and a name of each; those before the bounds, where these are met."""
        try:
            self._follow(0)
            while many and (start := self._counted(self._file.read(1))):
                self._follow(0, start)
        except _EnoughSeen:
            pass
        return self._names

    def _follow(self, depth: int, start: bytes = b"") -> None:
        if depth > DEEPEST:
            raise Unfollowed
        stack: list[Any] = []
        memo: dict[int, Any] = {}
        for op, argument in self._instructions(start):
            if op.name in _MEMOIZING:
                memo[len(memo) if argument is None else whole_number(argument)] = stack[-1]
            elif op.name in ("GET", "BINGET", "LONG_BINGET"):
                stack.append(memo[argument])
            else:
                self._do(op, argument, stack)
                if op.name == "BUILD" and is_array(stack[-1]):
                    self._pass_array(stack[-1], depth)

    def _instructions(self, start: bytes) -> Iterator[tuple[pickletools.OpcodeInfo, Any]]:
        while True:
            code = start or self._read(1)
            start = b""
            op = _OPCODES[code[0]]
            self._opcodes += 1
            if self._opcodes > MOST_OPCODES:
                raise _EnoughSeen
            if op.name == "STOP":
                return
            yield op, self._argument(op)

    def _argument(self, op: pickletools.OpcodeInfo) -> Any:
        if op.arg is None:
            return None
        if op.arg.n not in _LENGTHS:
            return op.arg.reader(cast("Any", self))
        size = self._read(_LENGTHS[op.arg.n])
        length = int.from_bytes(size, "little")
        if length > LONGEST:
            self._pass(length)
            return None
        return op.arg.reader(cast("Any", io.BytesIO(size + self._read(length))))

    def _do(self, op: pickletools.OpcodeInfo, argument: Any, stack: list[Any]) -> None:
        taken = taken_by(op, stack)
        if op.name in ("GLOBAL", "INST"):
            module, _, name = argument.partition(" ")
            stack.append(self._named(module, name))
        elif op.name == "STACK_GLOBAL":
            stack.append(self._named(*taken))
        elif op.name in ("REDUCE", "NEWOBJ", "NEWOBJ_EX", "OBJ"):
            stack.append(self._called(*taken[:2]) if len(taken) > 1 else None)
        else:
            if isinstance(argument, str):
                argument = self._kept(argument)
            stack.extend(given_by(op, argument, taken))

    def _kept(self, text: str) -> str | None:
        """A text that may be a name, as far as there is room for it."""
        if len(text) > LONGEST_NAME:
            return None
        self._text -= len(text)
        if self._text < 0:
            raise _EnoughSeen
        return text

    def _named(self, module: Any, name: Any) -> Global:
        if not isinstance(module, str) or not isinstance(name, str):
            raise Unfollowed
        if not self._kept(module) or self._kept(name) is None or not _NAME.fullmatch(module):
            raise Unfollowed
        if len(self._names) < MOST_NAMES:
            self._names.setdefault(module, name)
        return Global(module, name)

    def _called(self, what: Any, arguments: Any) -> Made:
        given = arguments[0] if isinstance(arguments, tuple) and arguments else None
        if isinstance(what, Global) and (what.module, what.name) in IMPORTERS:
            self._named(given, "")
        return Made(what, arguments)

    def _pass_array(self, array: Made, depth: int) -> None:
        """What joblib writes after the description of an array: its bytes, or one more pickle."""
        described = array.state
        kind = described["dtype"]
        size = item_size(kind)
        if size is None:
            self._follow(depth + 1)
            return
        if described.get("numpy_array_alignment_bytes") is not None:
            self._pass(self._read(1)[0])
        self._pass(math.prod(map(whole_number, described["shape"])) * size)

    def read(self, size: int) -> bytes:
        """As `pickletools` reads an argument of a known length."""
        return self._read(size)

    def readline(self) -> bytes:
        """As `pickletools` reads an argument that a line holds."""
        line = self._file.readline(LONGEST)
        if not line.endswith(b"\n"):
            raise Unfollowed
        return self._counted(line)

    def _read(self, size: int) -> bytes:
        data = self._counted(self._file.read(size))
        if len(data) < size:
            raise Unfollowed
        return data

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise _EnoughSeen
        return data

    def _pass(self, size: int) -> None:
        if size < 0:
            raise Unfollowed
        if isinstance(self._file, io.BufferedReader) and self._file.seekable():
            self._file.seek(size, io.SEEK_CUR)  # beyond the end nothing is read
            return
        while size > 0:
            size -= len(self._read(min(size, 1 << 20)))


class _EnoughSeen(Exception):
    """The bounds are met: what was found until then was found."""


_MEMOIZING = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
