"""The names of types: whatever stands there is a type or an error of ours, at once."""

from __future__ import annotations

import pytest

from sparkml.errors import SignatureError
from sparkml.type_names import to_arrow_type

NONE = {
    "a precision of 99 digits": "decimal(99, 2)",
    "a scale without end": "decimal128(5, -99999999999)",
    "a number without end": f"decimal({'9' * 5_000}, 1)",
    "half a character in a name": r'struct<"\ud800": double>',
    "half a character in a zone": "timestamp[us, tz=\ud800]",
    "nothing as a key": "map<null, int>",
    "lists without end": "list<" * 3_000 + "int" + ">" * 3_000,
    "structs without end": "struct<a: " * 2_000 + "int" + ">" * 2_000,
    "maps without end": "map<int, " * 2_000 + "int" + ">" * 2_000,
    "quotes that nothing closes": "struct<" + '"\\' * 20_000 + ">",
}


@pytest.mark.parametrize("name", NONE)
def test_what_names_no_type_is_refused_as_such(name):
    """A text of any length, in no time that anybody notices."""
    with pytest.raises(SignatureError):
        to_arrow_type(NONE[name])
