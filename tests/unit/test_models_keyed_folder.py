"""The keyed flavor as a folder: its bytes, its damages, its trust."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.tree import DecisionTreeClassifier

from sparkml import load_scorer, read_spec
from sparkml.errors import (
    ModelUnreadable,
    SinkNotWritable,
    UntrustedModel,
)
from sparkml.models.digest import digest_of
from sparkml.models.environment import EnvironmentWarning
from sparkml.spec import Field
from tests.keyed_models import rows, trees, write
from tests.models import table


def test_the_same_models_give_the_same_bytes_in_whatever_order(tmp_path):
    """So the digest tells whether anything changed; the index says which key's model did."""
    models = trees(1, 2, 3)
    one = read_spec(str(write(tmp_path / "one", models)))
    two = read_spec(str(write(tmp_path / "two", dict(reversed(models.items())))))
    other = read_spec(str(write(tmp_path / "other", {**models, **trees(2), (3,): models[(1,)]})))

    assert one.digest == two.digest != other.digest
    shas = [
        pq.read_table(tmp_path / name / "index.parquet")["sha256"].to_pylist()
        for name in ("one", "other")
    ]
    assert [True, True, False] == [a == b for a, b in zip(*shas, strict=True)]


def test_a_folder_is_replaced_only_if_it_is_a_keyed_model(tmp_path):
    """A mistyped output does not cost anybody's files, and nothing is left lying around."""
    models = trees(1)
    write(tmp_path / "m", trees(1, 2))
    assert 1 == pq.read_table(write(tmp_path / "m", models) / "index.parquet").num_rows
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")

    with pytest.raises(SinkNotWritable, match="no keyed model"):
        write(tmp_path / "mine", models)

    assert "years" == (tmp_path / "mine" / "thesis.txt").read_text()
    assert ["m", "mine"] == sorted(p.name for p in tmp_path.iterdir())


def shorter(path):
    """Cut a file's last byte off."""
    path.write_bytes(path.read_bytes()[:-1])


def flipped(path):
    """Change one bit in a file's middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def reworded(path, old, new):
    """Replace a text in a file that has it."""
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


DAMAGES = {
    "models.bin has": lambda f: shorter(f / "models.bin"),
    "models.bin was changed at byte": lambda f: flipped(f / "models.bin"),
    "damaged: FileNotFoundError: .*models.bin": lambda f: (f / "models.bin").unlink(),
    "damaged: FileNotFoundError: .*index.parquet": lambda f: (f / "index.parquet").unlink(),
    "damaged: ArrowInvalid: .*Parquet": lambda f: shorter(f / "index.parquet"),
    "the index has the columns key": lambda f: pq.write_table(
        pa.table({"key": [1]}), f / "index.parquet"
    ),
    "of format 2; this version reads 1": lambda f: reworded(f / "MLmodel", "mat: 1", "mat: 2"),
    "does not describe a keyed model": lambda f: reworded(f / "MLmodel", " keys:", " kays:"),
}


@pytest.mark.parametrize("said", DAMAGES)
def test_a_damaged_artifact_is_unreadable_before_any_row(tmp_path, said):
    """It is told on the driver, when the spec is read."""
    folder = write(tmp_path / "m", trees(1, 2))
    DAMAGES[said](folder)

    with pytest.raises(ModelUnreadable, match=said) as error:
        read_spec(str(folder))

    assert error.value.fix


def test_a_worker_does_not_compare_every_model_again(tmp_path):
    """The folder's digest holds all of their bytes."""
    spec = read_spec(str(write(tmp_path / "m", trees(1, 2))))
    folder = write(tmp_path / "shipped", trees(1, 2))
    flipped(folder / "models.bin")

    assert load_scorer(replace(spec, digest=digest_of(folder)), folder)


def test_a_model_that_does_not_unpickle_names_its_key(tmp_path):
    """The artifact is whole, but a class in it is not to be had here."""

    class Gone:
        classes_ = ()

        def __reduce__(self):
            return (__import__, ("no_such_module",))

    folder = write(tmp_path / "m", {**trees(1), (2,): Gone()})
    scorer = load_scorer(read_spec(str(folder)))

    with pytest.raises(ModelUnreadable, match=r"store=2 cannot be loaded.*no_such_module"):
        scorer(rows([1, 2]))


def test_classes_that_the_artifact_does_not_know_are_no_silent_number(tmp_path):
    """A probability whose place nobody knows is an error."""
    model = DecisionTreeClassifier().fit(table(30), np.arange(30) % 3)
    outputs = (
        Field(name="prediction", type="int64"),
        Field(name="probability", type="list<double>"),
    )
    folder = write(tmp_path / "m", {(1,): model}, classes=(0, 1), outputs=outputs)

    with pytest.raises(ModelUnreadable, match="classes"):
        load_scorer(read_spec(str(folder)))


def test_its_pickles_are_told_to_the_trust_policy_and_its_versions_to_the_environment_s(tmp_path):
    """As of any other model."""
    folder = write(tmp_path / "m", trees(1))
    with pytest.raises(UntrustedModel, match=r"models.bin holds pickles"):
        read_spec(str(folder), trust="never")
    pins = folder / "requirements.txt"
    pins.write_text(pins.read_text().replace("scikit-learn==", "scikit-learn==0."))

    with pytest.warns(EnvironmentWarning, match=r"trained with scikit-learn 0\."):
        read_spec(str(folder))
