"""What a caller may declare about nulls, and what becomes of it."""

from __future__ import annotations

import pytest

from sparkml.errors import ConfigError
from sparkml.models.null_policy import null_policies
from sparkml.spec import Field, NullPolicy

INPUTS = (
    Field(name="age", type="int64"),
    Field(name="city", type="string"),
    Field(name="member", type="bool"),
)
NUMBERS = (Field(name="a", type="double"), Field(name="b", type="float"))


def test_without_a_word_the_model_decides():
    """Its own way where it takes missing values, quarantine where it does not."""
    assert null_policies(None, INPUTS, takes_nan=True) == {"*": NullPolicy(kind="model")}
    assert null_policies(None, INPUTS, takes_nan=False) == {"*": NullPolicy(kind="quarantine")}


@pytest.mark.parametrize("kind", ["propagate", "model", "quarantine", "fail"])
def test_one_word_is_for_every_column(kind):
    """Every policy that needs no value."""
    assert null_policies(kind, INPUTS, takes_nan=True) == {"*": NullPolicy(kind=kind)}


def test_a_column_may_have_its_own():
    """The others keep the default, declared under `*` or not."""
    made = null_policies({"age": {"fill": 0}, "*": "fail"}, INPUTS[:1], takes_nan=True)
    assert made == {"*": NullPolicy(kind="fail"), "age": NullPolicy(kind="fill", value=0)}
    made = null_policies({"city": "propagate"}, INPUTS, takes_nan=False)
    assert made["*"] == NullPolicy(kind="quarantine")


def test_a_fill_for_all_columns_must_fit_them_all():
    """A number fills numbers; a text does not."""
    assert null_policies({"*": {"fill": 0}}, NUMBERS, takes_nan=False)["*"].value == 0
    with pytest.raises(ConfigError, match="0 cannot fill a column of type string"):
        null_policies({"*": {"fill": 0}}, INPUTS[:2], takes_nan=False)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"agee": "model"}, "no input 'agee'.*did you mean 'age'"),
        ({"age": "quarantain"}, "unknown policy 'quarantain'.*did you mean 'quarantine'"),
        ("quarantain", "did you mean 'quarantine'"),
        (5, "5 is no mapping by names"),
        ({5: "model"}, "{5: 'model'} is no mapping by names"),
        ("fill", "fill needs a value"),
        ({"age": "fill"}, "fill needs a value"),
        ({"age": {"fil": 1}}, "is no policy"),
        ({"age": {"fill": None}}, "is no policy"),
        ({"age": None}, "unknown policy None"),
        ({"age": {"fill": "x"}}, "'x' cannot fill a column of type int64"),
        ({"age": {"fill": 1.5}}, "1.5 cannot fill a column of type int64"),
        ({"age": {"fill": True}}, "True cannot fill a column of type int64"),
        ({"member": {"fill": 1}}, "1 cannot fill a column of type bool"),
        ({"city": {"fill": 3}}, "3 cannot fill a column of type string"),
    ],
)
def test_what_makes_no_sense_is_refused(declared, message):
    """With the column, the value, and the nearest word."""
    with pytest.raises(ConfigError, match=message):
        null_policies(declared, INPUTS, takes_nan=True)
