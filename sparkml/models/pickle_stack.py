"""The values on a pickle's stack, as far as names and the sizes of arrays need them."""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import Any

MOST_ITEMS = 32
"""Of a tuple or a dict whose items are followed."""


class Unfollowed(Exception):
    """What cannot be followed, or has no end."""


@dataclass(frozen=True, slots=True)
class Global:
    """What a pickle names."""

    module: str
    name: str


@dataclass(slots=True)
class Made:
    """What a call of `of` gave, and the state that it was given."""

    of: Any
    arguments: Any
    state: Any = None


_MARK = object()


def taken_by(op: pickletools.OpcodeInfo, stack: list[Any]) -> list[Any]:
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


def given_by(op: pickletools.OpcodeInfo, argument: Any, taken: list[Any]) -> list[Any]:
    """What an instruction that calls nothing puts on the stack."""
    if op.name == "BUILD":
        if isinstance(taken[0], Made):
            taken[0].state = taken[1]
        return taken[:1]
    if op.name == "DUP":
        return taken * 2
    if op.name in ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_TUPLE"):
        return [tuple(taken) if len(taken) <= MOST_ITEMS else None]
    if op.name in ("EMPTY_DICT", "SETITEM", "SETITEMS"):
        return [_with_items(taken[0], taken[1:]) if taken else {}]
    small = isinstance(argument, int) and argument.bit_length() < 64
    value = argument if isinstance(argument, str) or small else None
    return [_MARK if made is pickletools.markobject else value for made in op.stack_after]


def whole_number(number: Any) -> int:
    """A number that is one and has no more than 64 bits: a text, multiplied, fills the memory."""
    if not isinstance(number, int) or number.bit_length() > 64:
        raise Unfollowed
    return number


def _with_items(made: Any, items: list[Any]) -> Any:
    """A dict with what it is given under short texts; what else it holds has no names."""
    if isinstance(made, dict):
        for key, value in zip(items[::2], items[1::2], strict=False):
            if isinstance(key, str) and len(made) < MOST_ITEMS:
                made[key] = value
    return made


def is_array(made: Any) -> bool:
    """Whether it describes an array, which joblib writes after it."""
    of = made.of if isinstance(made, Made) else None
    return (
        isinstance(of, Global)
        and of.name == "NumpyArrayWrapper"
        and of.module.endswith("joblib.numpy_pickle")
    )


def item_size(dtype: Any) -> int | None:
    """The bytes of an item of a pickled NumPy dtype; None where they are objects."""
    code = dtype.arguments[0]
    if code[0] == "O":
        return None
    state = dtype.state if isinstance(dtype.state, tuple) else ()
    if code[0] == "V" and len(state) > 7 and state[7] & 1:
        return None
    return int(code[1:]) * (4 if code[0] == "U" else 1)
