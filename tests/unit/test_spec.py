"""The values that cross from the driver to the workers."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

import sparkml
from sparkml import errors
from sparkml.errors import SignatureError, SparkMLError, did_you_mean
from sparkml.spec import Field, ModelSpec, NullPolicy, Signature


def wide_spec(features: int) -> ModelSpec:
    """A spec with so many features."""
    inputs = tuple(Field(name=f"pixel_{i // 8}_{i % 8}", type="double") for i in range(features))
    outputs = (
        Field(name="prediction", type="int64"),
        Field(name="probability", type="list<double>"),
    )
    return ModelSpec(
        name="digits",
        version="3",
        uri="models:/digits/3",
        flavor="sklearn",
        digest="ab" * 32,
        signature=Signature(inputs=inputs, outputs=outputs),
        nulls={"*": NullPolicy(kind="fill", value=0.0)},
        params={"temperature": 0.5},
    )


def test_a_spec_survives_its_journey():
    """Pickled or as JSON, it comes back equal."""
    spec = wide_spec(64)

    assert spec == pickle.loads(pickle.dumps(spec))
    assert spec == ModelSpec.from_json(spec.to_json())


def test_a_spec_is_small():
    """64 features fit into a fraction of the 4 KiB that a closure may weigh."""
    assert len(pickle.dumps(wide_spec(64))) < 1_500


def test_a_column_s_own_policy_goes_before_the_default():
    """And without either, a null is quarantined."""
    spec = wide_spec(2)

    assert "fill" == spec.null_policy("pixel_0_0").kind
    assert (
        "quarantine"
        == ModelSpec.from_json(spec.to_json().replace('"nulls":{"*"', '"nulls":{"pixel_0_1"'))
        .null_policy("pixel_0_0")
        .kind
    )


def test_an_error_is_one_line_with_code_place_and_fix():
    """What a driver prints last holds no line break, whatever the message does."""
    error = SignatureError("column 'a'\nis missing", where="source", fix="did you mean 'b'?")

    assert (
        "ERROR SIGNATURE_MISMATCH: column 'a' is missing | source | fix: did you mean 'b'?"
        == error.line()
    )
    assert error.line() == pickle.loads(pickle.dumps(error)).line()


def test_every_error_has_a_code_of_its_own_and_a_documented_status():
    """Codes are unique, statuses stand in the module's own table."""
    kinds = [
        k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, SparkMLError)
    ]

    assert len({k.code for k in kinds}) == len(kinds)
    assert {k.exit_status for k in kinds} == {1, 2, 3, 4, 5, 6, 7, 8}
    assert all(k.__name__ in (errors.__doc__ or "") for k in kinds if k is not SparkMLError)


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("alchol", ["hue", "alcohol"], "did you mean 'alcohol'?"),
        ("ALCOHOL", ["hue", "alcohol"], "did you mean 'alcohol'?"),
        ("zzz", ["hue", "alcohol"], "known: 'hue', 'alcohol'"),
        ("zzz", [], "none is known"),
    ],
)
def test_the_nearest_name_is_suggested(name, known, said):
    """A slip is answered with what was meant, a guess with what there is."""
    assert said == did_you_mean(name, known)


def test_importing_the_library_imports_no_heavy_one():
    """Neither Spark, MLflow, pandas nor a model library comes with `import sparkml`."""
    code = (
        "import sparkml, sys\n"
        "heavy = {'pyspark', 'mlflow', 'pandas', 'sklearn', 'pyarrow', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]" == done.stdout.strip()


def test_the_public_names_are_few_and_real():
    """At most thirteen, sorted, each of which can be had."""
    assert sorted(sparkml.__all__) == sparkml.__all__
    assert len(sparkml.__all__) <= 16
    assert all(getattr(sparkml, name) is not None for name in sparkml.__all__)
    with pytest.raises(AttributeError, match="no attribute 'scor'"):
        sparkml.scor  # noqa: B018 - the access is the test
