"""A model's files: addresses, the digest, the promise, the host's cache, and the way to others."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import warnings
import zipfile
from typing import TYPE_CHECKING

import joblib
import numpy as np
import pyarrow as pa
import pytest
from sklearn.tree import DecisionTreeClassifier

from sparkml.errors import (
    DigestMismatch,
    ModelNotFound,
    SetupError,
    UnsupportedFlavor,
    UntrustedModel,
)
from sparkml.models.artifact import archive_name, cache_root, cached_folder, pack, unpack
from sparkml.models.digest import digest_of
from sparkml.models.promise import promise
from sparkml.models.read import open_predictor, read_spec

if TYPE_CHECKING:
    from pathlib import Path

TREE = DecisionTreeClassifier(max_depth=2).fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def file(tmp_path) -> Path:
    (tmp_path / "a folder").mkdir()
    path = tmp_path / "a folder" / "tree é.joblib"
    joblib.dump(TREE, path)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    import mlflow

    path = tmp_path / "saved"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.sklearn.save_model(
            TREE, path, serialization_format="cloudpickle", pip_requirements=["scikit-learn"]
        )
    return path


# addresses


def test_a_file_is_read_by_path_and_by_uri(file):
    """A path, a path as URI: the same bytes, named after the file; the version is the digest's."""
    plain = read_spec(str(file))
    assert read_spec(file.as_uri()) == plain
    assert (plain.name, plain.uri, plain.flavor) == ("tree é", file.as_uri(), "sklearn")
    assert plain.digest.startswith(plain.version)


def test_a_relative_path_is_read_from_where_we_are(file, monkeypatch):
    """What is recorded is the absolute path."""
    monkeypatch.chdir(file.parent)
    assert read_spec(file.name).uri == file.as_uri()


def test_a_folder_is_an_mlflow_model(folder):
    """By path and by URI, the latter with a slash at its end or without."""
    specs = {read_spec(a).digest for a in (str(folder), folder.as_uri(), f"{folder}/")}
    assert len(specs) == 1


def test_the_name_can_be_given(file):
    """It is the name of the output column."""
    assert read_spec(str(file), name="grade").name == "grade"


def test_a_missing_path_names_the_nearest(file):
    """A typing error in a path is answered with what is there."""
    with pytest.raises(ModelNotFound, match=r"did you mean 'tree é\.joblib'"):
        read_spec(str(file.with_name("tree e.joblib")))


@pytest.mark.parametrize("uri", ["gopher://host/model", "s3:///nobucket"])
def test_an_address_of_another_scheme_is_refused(uri):
    """What no file system reads is no model address."""
    with pytest.raises(ModelNotFound):
        read_spec(uri)


def test_files_that_no_flavor_reads_are_refused(tmp_path):
    """The error says what was found and what could be read."""
    (tmp_path / "model.tflite").write_bytes(b"?")
    with pytest.raises(UnsupportedFlavor, match=r"model\.tflite.*\.joblib, \.pkl, \.skops"):
        read_spec(str(tmp_path / "model.tflite"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnsupportedFlavor, match="an empty folder"):
        read_spec(str(tmp_path / "empty"))


def test_an_unknown_flavor_names_the_nearest(file):
    """A flavor that does not exist, and one that does not read these files."""
    with pytest.raises(UnsupportedFlavor, match="did you mean 'sklearn'"):
        read_spec(str(file), flavor="sklear")
    with pytest.raises(UnsupportedFlavor, match="pyfunc does not read this model"):
        read_spec(str(file), flavor="pyfunc")


# the digest


def test_the_digest_counts_names_sizes_and_contents(tmp_path):
    """One byte flipped, a file added, a file renamed: each is another digest."""
    model = tmp_path / "m"
    (model / "sub").mkdir(parents=True)
    (model / "MLmodel").write_bytes(b"abc")
    (model / "sub" / "x").write_bytes(b"123")
    digests = [digest_of(model)]
    (model / "sub" / "x").write_bytes(b"122")
    digests.append(digest_of(model))
    (model / "y").write_bytes(b"")
    digests.append(digest_of(model))
    (model / "y").rename(model / "z")
    digests.append(digest_of(model))
    assert len(set(digests)) == 4


def test_what_mlflow_and_the_promise_add_does_not_count(tmp_path):
    """Only at the top of the folder: anywhere else those names are files like any other."""
    (tmp_path / "MLmodel").write_bytes(b"abc")
    before = digest_of(tmp_path)
    (tmp_path / "registered_model_meta").write_text("model_name: wine")
    (tmp_path / "model.sha256").write_text(before)
    assert digest_of(tmp_path) == before
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "model.sha256").write_text(before)
    assert digest_of(tmp_path) != before


def test_a_link_out_of_the_folder_is_refused(folder, tmp_path):
    """A model is its own files; a link inside the folder is one of them, followed."""
    (folder / "same").symlink_to(folder / "MLmodel")
    read_spec(str(folder))
    (tmp_path / "secret").write_text("s")
    (folder / "stolen").symlink_to(tmp_path / "secret")
    with pytest.raises(UntrustedModel, match="'stolen' links to"):
        read_spec(str(folder))


# the promise


def test_a_folder_keeps_its_promise(folder):
    """`promise` writes the digest into the folder, and reading compares it."""
    digest = promise(folder)
    assert read_spec(str(folder)).digest == digest
    with (folder / "MLmodel").open("a") as file:
        file.write("\n")
    with pytest.raises(DigestMismatch, match=f"{digest} was promised"):
        read_spec(str(folder))


def test_a_file_keeps_its_promise(file):
    """Beside a file it names the file, so that one `model.sha256` serves a whole folder."""
    digest = promise(file)
    assert (file.parent / "model.sha256").read_text() == f"{digest}  {file.name}\n"
    assert read_spec(str(file)).digest == digest
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(DigestMismatch):
        read_spec(str(file))


def test_each_file_of_a_folder_keeps_its_own_promise(file):
    """Promising one leaves the others' lines, and promising it again replaces its own."""
    other = file.with_name("other.joblib")
    joblib.dump(DecisionTreeClassifier(max_depth=1).fit([[0.0], [1.0]], [0, 1]), other)
    for path in (file, other, file):
        promise(path)
    assert len((file.parent / "model.sha256").read_text().splitlines()) == 2
    for path in (file, other):
        assert read_spec(str(path)).flavor == "sklearn"


def test_the_output_of_sha256sum_is_a_promise(file):
    """A lone file's promise may be its plain SHA-256, as that program prints it."""
    note = file.parent / "model.sha256"
    own = hashlib.sha256(file.read_bytes()).hexdigest()
    note.write_text(f"{'0' * 64}  other.joblib\n{own} *{file.name}\n")
    read_spec(str(file), digest=own, trust="promised")
    note.write_text(f"{'0' * 64}  {file.name}\n")
    with pytest.raises(DigestMismatch):
        read_spec(str(file))
    note.write_text(f"{'0' * 64}  other.joblib\n")
    read_spec(str(file), trust="always")


def test_what_lies_beside_a_model_does_not_vouch_for_it(folder, file):
    """Whoever can change the files can change a note there; the caller's own digest counts."""
    for path in (folder, file):
        digest = promise(path)
        with pytest.raises(UntrustedModel, match=r"nobody promised.*fix: .*digest") as caught:
            read_spec(str(path), trust="promised")
        assert digest in str(caught.value)
        assert read_spec(str(path), trust="promised", digest=digest).digest == digest
        with pytest.raises(DigestMismatch):
            read_spec(str(path), trust="promised", digest="0" * 64)


# the cache


def test_the_cache_belongs_to_its_user_alone(cache, monkeypatch, tmp_path):
    """It is made with mode 0700, and refused where others may write to it."""
    assert cache_root() == cache
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    cache.chmod(0o777)
    with pytest.raises(SetupError, match="others may write"):
        cache_root()
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "link"))
    with pytest.raises(SetupError, match="a link"):
        cache_root()


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_a_cache_below_a_folder_that_others_may_change_is_refused(mode, monkeypatch, tmp_path):
    """They could rename it, and put their own in its place; the sticky bit forbids that."""
    above = tmp_path / "open"
    above.mkdir()
    above.chmod(mode)
    monkeypatch.setenv("SPARKML_CACHE", str(above / "a" / "cache"))
    with pytest.raises(SetupError, match=f"others may rename folders in {above}"):
        cache_root()
    above.chmod(0o1777)
    assert cache_root() == above / "a" / "cache"


def test_a_cache_is_made_whatever_the_umask(monkeypatch, tmp_path):
    """Private groups have 002: what is made on the way must be ours alone, too."""
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "a" / "b" / "cache"))
    before = os.umask(0)
    try:
        assert cache_root().is_dir()
    finally:
        os.umask(before)


def test_without_a_setting_the_cache_is_in_the_temporary_folder(monkeypatch, tmp_path):
    """One folder per user, so that nobody finds a folder made by another."""
    monkeypatch.delenv("SPARKML_CACHE")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert cache_root() == tmp_path / f"sparkml-{os.getuid()}" / "models"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_cache_of_another_user_is_refused(cache):
    """Whoever owns the folder chooses which model is opened."""
    cache.mkdir(mode=0o700)
    os.chown(cache, 12345, -1)
    with pytest.raises(SetupError, match="belongs to another user"):
        cache_root()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_cache_below_another_user_s_folder_is_refused(monkeypatch, tmp_path):
    """Its owner can rename what lies in it, whatever its mode."""
    above = tmp_path / "theirs"
    above.mkdir(mode=0o755)
    os.chown(above, 12345, -1)
    monkeypatch.setenv("SPARKML_CACHE", str(above / "cache"))
    with pytest.raises(SetupError, match="others may rename"):
        cache_root()


def test_a_damaged_folder_in_the_cache_is_replaced(file):
    """What is there already is not trusted: its digest is computed again."""
    spec = read_spec(str(file))
    held = cached_folder(spec.digest)
    (held / file.name).write_bytes(b"damaged")
    with pytest.raises(DigestMismatch, match="the folder was changed since"):
        open_predictor(spec)
    assert read_spec(str(file)) == spec
    assert digest_of(held) == spec.digest
    open_predictor(spec)


def test_the_files_are_verified_every_time(file):
    """A file added after the first opening is noticed by the second."""
    spec = read_spec(str(file))
    held = cached_folder(spec.digest)
    open_predictor(spec, held)
    (held / "more").write_text("")
    with pytest.raises(DigestMismatch):
        open_predictor(spec, held)


def test_a_host_without_the_files_says_so(file, monkeypatch, tmp_path):
    """On another host the cache is empty."""
    spec = read_spec(str(file))
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "other host"))
    with pytest.raises(ModelNotFound, match="does not hold the files"):
        open_predictor(spec)


FETCH_OFTEN = """
import pathlib, sys, time
from sparkml.models.artifact import fetch
path, go = sys.argv[1:]
print("ready", flush=True)
while not pathlib.Path(go).exists():
    time.sleep(0.001)
print(*{fetch(path).digest for _ in range(20)})
"""


def test_two_processes_may_fill_the_cache_at_once(file, cache, tmp_path):
    """Both get the model, one folder stands there, and nothing is left beside it."""
    command = [sys.executable, "-c", FETCH_OFTEN, str(file), str(tmp_path / "go")]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in "ab"]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    (tmp_path / "go").touch()
    digests = {worker.communicate(timeout=60)[0].strip() for worker in workers}
    assert [worker.returncode for worker in workers] == [0, 0]
    assert [path.name for path in cache.iterdir()] == list(digests)


# the way to other hosts


def test_a_packed_model_opens_on_another_host(file, monkeypatch, tmp_path):
    """The zip is the same each time it is made, and its files are verified where they arrive."""
    spec = read_spec(str(file))
    archive = pack(spec.digest)
    content = archive.read_bytes()
    assert archive.name == archive_name(spec.digest) == f"sparkml-{spec.digest[:16]}.zip"
    archive.unlink()
    assert pack(spec.digest).read_bytes() == content

    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "other host"))
    folder = unpack(archive, spec.digest)
    assert folder == cached_folder(spec.digest)
    labels, _ = open_predictor(spec).predict(pa.RecordBatch.from_pydict({"features": [[3.0]]}))
    assert labels.to_pylist() == TREE.predict([[3.0]]).tolist()
    assert unpack(archive, spec.digest) == folder


def test_a_zip_of_other_files_is_refused(file, monkeypatch, tmp_path):
    """Changed on the way, cut short, or another model: nothing reaches the cache."""
    spec = read_spec(str(file))
    archive = pack(spec.digest)
    whole = archive.read_bytes()
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "other host"))
    with zipfile.ZipFile(tmp_path / "changed.zip", "w") as changed:
        changed.writestr(file.name, b"something else")
    (tmp_path / "short.zip").write_bytes(whole[:100])
    for name in ("changed.zip", "short.zip"):
        with pytest.raises(DigestMismatch):
            unpack(tmp_path / name, spec.digest)
    assert not list(cache_root().iterdir())
    with pytest.raises(FileNotFoundError):
        unpack(tmp_path / "none.zip", spec.digest)


def test_a_zip_that_grows_is_refused(tmp_path):
    """`pack` compresses nothing: what is compressed may be a thousand times as large."""
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("m.joblib", b"\0" * 10_000_000)
    with pytest.raises(DigestMismatch, match="compressed"):
        unpack(tmp_path / "bomb.zip", "0" * 64)
    assert not list(cache_root().iterdir())


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out", "..\\out"])
def test_a_zip_that_leaves_its_folder_is_refused(name, tmp_path):
    """Nothing is written, inside or outside."""
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as evil:
        evil.writestr(name, b"x")
    with pytest.raises(UntrustedModel, match="would leave the folder"):
        unpack(tmp_path / "evil.zip", "0" * 64)
    assert not list(tmp_path.rglob("out"))


def test_a_zip_with_a_link_is_refused(tmp_path):
    """A link could point anywhere."""
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as evil:
        evil.writestr(entry, "/etc/passwd")
    with pytest.raises(UntrustedModel):
        unpack(tmp_path / "evil.zip", "0" * 64)


def test_packing_what_is_not_there_says_so():
    """The files are brought here by reading the spec."""
    with pytest.raises(ModelNotFound, match="read_spec"):
        pack("0" * 64)


def test_a_digest_is_no_path(tmp_path):
    """What is not a digest never becomes part of a path."""
    with pytest.raises(DigestMismatch):
        cached_folder("../" + "0" * 61)


def test_a_spec_scores_after_a_trip_through_pickle(file):
    """The spec is all that a worker gets."""
    import pickle

    spec = pickle.loads(pickle.dumps(read_spec(str(file))))
    (labels, chances) = open_predictor(spec).predict(
        pa.RecordBatch.from_pydict({"features": [[0.0], [3.0]]})
    )
    assert labels.to_pylist() == [0, 1]
    np.testing.assert_array_equal(chances.to_pylist(), TREE.predict_proba([[0.0], [3.0]]))
