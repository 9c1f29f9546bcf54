"""Copying a model's files: each read once, links to other files of it alone, nothing but files."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from sparkml import read_spec
from sparkml.errors import ModelUnreadable, UntrustedModel
from sparkml.models import local_copy
from sparkml.models.digest import digest_of, digest_of_parts
from sparkml.models.local_copy import copy_local


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "model"
    (folder / "inner").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder / "inner" / "weights").write_bytes(b"12345")
    return folder


@pytest.fixture
def into(tmp_path):
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def test_what_is_told_is_what_lies_there(source, into):
    """The digest of the copy, without a reading of it; notes and byte code stay behind."""
    (source / "model.sha256").write_text("0" * 64)
    (source / "inner" / "__pycache__").mkdir()
    (source / "inner" / "__pycache__" / "m.pyc").write_bytes(b"x")
    parts = copy_local(source, into)
    assert digest_of_parts(parts) == digest_of(into) == digest_of(source_without_cache(source))
    assert {part.name for part in parts} == {"MLmodel", "inner/weights"}


def source_without_cache(source):
    (source / "inner" / "__pycache__" / "m.pyc").unlink()
    (source / "inner" / "__pycache__").rmdir()
    return source


def test_a_link_inside_becomes_a_copy(source, into):
    """As Hugging Face's caches have them: a name, and the file elsewhere in the folder."""
    (source / "weights").symlink_to("inner/weights")
    (source / "again").symlink_to("weights")
    copy_local(source, into)
    for name in ("weights", "again"):
        assert not (into / name).is_symlink()
        assert (into / name).read_bytes() == b"12345"


def test_a_link_to_the_folder_is_the_folder(source, into, tmp_path):
    """As deployments have them: `current`, which is one release or the other."""
    (tmp_path / "current").symlink_to("model")
    (tmp_path / "through").symlink_to(tmp_path / "current", target_is_directory=True)
    parts = copy_local(tmp_path / "through", into)
    assert {part.name for part in parts} == {"MLmodel", "inner/weights"}


@pytest.mark.parametrize("target", ["../secret", "/etc/passwd", "inner", "nothing", "round", "."])
def test_a_link_elsewhere_is_refused(target, source, into, tmp_path):
    """To a file outside, a folder, nothing, itself."""
    (tmp_path / "secret").write_text("secret")
    (source / "round").symlink_to(target)
    with pytest.raises(UntrustedModel, match="'round' links to"):
        copy_local(source, into)


@pytest.mark.parametrize("kind", ["named pipe", "socket", "device"])
def test_only_files_are_read(kind, source, into, monkeypatch):
    """A pipe has no end, a device may have none, and a socket is no file: told at once."""
    monkeypatch.chdir(source)  # a socket's path is short
    if kind == "named pipe":
        os.mkfifo("m.onnx")
    elif kind == "device":
        if os.getuid():
            pytest.skip("only root makes devices")
        os.mknod("m.onnx", 0o20600, os.makedev(1, 5))
    else:
        socket.socket(socket.AF_UNIX).bind("m.onnx")
    with pytest.raises(ModelUnreadable, match=f"'m.onnx' is a {kind}"):
        copy_local(source, into)
    if kind != "socket":
        with pytest.raises(ModelUnreadable, match=f"'m.onnx' is a {kind}"):
            read_spec(str(source / "m.onnx"))


def test_too_many_files_are_told(source, into, monkeypatch):
    """A folder that was named by mistake is not copied for an hour."""
    monkeypatch.setattr(local_copy, "MOST_FILES", 1)
    with pytest.raises(ModelUnreadable, match="more than 1 files"):
        copy_local(source, into)


def test_a_file_swapped_for_a_link_meanwhile_brings_nothing_in(source, tmp_path):
    """Between any two looks at a name it may mean another file: what is copied is one of ours."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    path, stop = source / "inner" / "weights", threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for make in (lambda new: new.symlink_to(secret), lambda new: new.write_bytes(b"12345")):
                new = source.parent / "new"
                make(new)
                new.rename(path)

    swapping = threading.Thread(target=swap)
    swapping.start()
    outcomes = set()
    try:
        for number in range(300):
            place = tmp_path / f"copy {number}"
            place.mkdir()
            try:
                copy_local(source, place)
                outcomes.add((place / "inner" / "weights").read_bytes())
            except (UntrustedModel, FileNotFoundError):
                outcomes.add("refused")
    finally:
        stop.set()
        swapping.join()
    assert outcomes <= {b"12345", "refused"}
    assert len(outcomes) == 2, "nothing was swapped, so the test proves nothing"
