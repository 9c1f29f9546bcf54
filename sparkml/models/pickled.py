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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from sparkml.models.unpacked import unpacked

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
MOST_ITEMS = 32
"""Of a tuple or a dict whose items are followed."""
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


class Unfollowed(Exception):
    """What cannot be followed, or has no end."""


@dataclass(frozen=True, slots=True)
class _Global:
    module: str
    name: str


@dataclass(slots=True)
class _Made:
    """What a call of `of` gave, and the state that it was given."""

    of: Any
    arguments: Any
    state: Any = None


_MARK = object()


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
            pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            for member in pickles[:MOST_MEMBERS]:
                with archive.open(member) as packed:
                    names |= _Reader(cast("BinaryIO", packed)).names(many=False)
        return names
    return _Reader(unpacked(file, start)).names(many=many)


class _Reader:
    """One file's pickles, followed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left, self._opcodes = file, MOST_BYTES, 0
        self._names: dict[str, str] = {}

    def names(self, *, many: bool) -> dict[str, str]:
        """The modules and a name of each; those before the bounds, where these are met."""
        try:
            self._follow(0)
            while many and (start := self._file.read(1)):
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
                memo[len(memo) if argument is None else argument] = stack[-1]
            elif op.name in ("GET", "BINGET", "LONG_BINGET"):
                stack.append(memo[argument])
            else:
                self._do(op, argument, stack)
                if op.name == "BUILD" and _is_array(stack[-1]):
                    self._pass_array(stack[-1], depth)

    def _instructions(self, start: bytes) -> Iterator[tuple[pickletools.OpcodeInfo, Any]]:
        while True:
            code = start or self._read(1)
            start = b""
            op = _OPCODES[code[0]]
            if op.name == "STOP":
                return
            self._opcodes += 1
            if self._opcodes > MOST_OPCODES:
                raise _EnoughSeen
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
        taken = _taken(op, stack)
        if op.name in ("GLOBAL", "INST"):
            module, _, name = argument.partition(" ")
            stack.append(self._named(module, name))
        elif op.name == "STACK_GLOBAL":
            stack.append(self._named(*taken))
        elif op.name in ("REDUCE", "NEWOBJ", "NEWOBJ_EX", "OBJ"):
            stack.append(self._called(*taken[:2]) if len(taken) > 1 else None)
        else:
            stack.extend(_given(op, argument, taken))

    def _named(self, module: Any, name: Any) -> _Global:
        if not isinstance(module, str) or not isinstance(name, str) or not _NAME.fullmatch(module):
            raise Unfollowed
        if len(self._names) < MOST_NAMES:
            self._names.setdefault(module, name)
        return _Global(module, name)

    def _called(self, what: Any, arguments: Any) -> _Made:
        given = arguments[0] if isinstance(arguments, tuple) and arguments else None
        if isinstance(what, _Global) and (what.module, what.name) in IMPORTERS:
            self._named(given, "")
        return _Made(what, arguments)

    def _pass_array(self, array: _Made, depth: int) -> None:
        """What joblib writes after the description of an array: its bytes, or one more pickle."""
        described = array.state
        kind = described["dtype"]
        size = _item_size(kind)
        if size is None:
            self._follow(depth + 1)
            return
        if described.get("numpy_array_alignment_bytes") is not None:
            self._pass(self._read(1)[0])
        self._pass(math.prod(described["shape"]) * size)

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


def _taken(op: pickletools.OpcodeInfo, stack: list[Any]) -> list[Any]:
    """What an instruction takes from the stack: the items before its mark, then those after."""
    before = op.stack_before
    if pickletools.markobject not in before:
        if len(before) > len(stack):
            raise Unfollowed
        taken = stack[len(stack) - len(before) :]
        del stack[len(stack) - len(before) :]
        return taken
    after = []
    while (top := stack.pop()) is not _MARK:
        after.append(top)
    ahead = before.index(pickletools.markobject)
    taken = [stack.pop() for _ in range(ahead)][::-1]
    return [*taken, *after[::-1]]


def _given(op: pickletools.OpcodeInfo, argument: Any, taken: list[Any]) -> list[Any]:
    """What an instruction that calls nothing puts on the stack."""
    if op.name == "BUILD":
        if isinstance(taken[0], _Made):
            taken[0].state = taken[1]
        return taken[:1]
    if op.name == "DUP":
        return taken * 2
    if op.name in ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_TUPLE"):
        return [tuple(taken) if len(taken) <= MOST_ITEMS else None]
    if op.name in ("EMPTY_DICT", "SETITEM", "SETITEMS"):
        return [_with_items(taken[0], taken[1:]) if taken else {}]
    short = isinstance(argument, str) and len(argument) <= LONGEST_NAME
    small = isinstance(argument, int) and argument.bit_length() < 64
    value = argument if short or small else None
    return [_MARK if made is pickletools.markobject else value for made in op.stack_after]


def _with_items(made: Any, items: list[Any]) -> Any:
    """A dict with what it is given under short texts; what else it holds has no names."""
    if isinstance(made, dict):
        for key, value in zip(items[::2], items[1::2], strict=False):
            if isinstance(key, str) and len(made) < MOST_ITEMS:
                made[key] = value
    return made


def _is_array(made: Any) -> bool:
    of = made.of if isinstance(made, _Made) else None
    return (
        isinstance(of, _Global)
        and of.name == "NumpyArrayWrapper"
        and of.module.endswith("joblib.numpy_pickle")
    )


def _item_size(dtype: Any) -> int | None:
    """The bytes of an item of a pickled NumPy dtype; None where they are objects."""
    code = dtype.arguments[0]
    if code[0] == "O":
        return None
    state = dtype.state if isinstance(dtype.state, tuple) else ()
    if code[0] == "V" and len(state) > 7 and state[7] & 1:
        return None
    return int(code[1:]) * (4 if code[0] == "U" else 1)
