"""The packed environment: wheels for another machine, the same archive each time, checked first.

Two small libraries stand for all here; `test_package_whole.py` packs a whole one.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
import tarfile
import time
from dataclasses import replace

import pytest

from emr.errors import PackageError
from emr.package.archive import MACHINES, check_folder, strip, write_tar_gz
from emr.package.environment import build_environment, environment_key
from emr.package.requirements import Requirements, requirements_of
from sparkml.models.wheels import uv

SMALL = ("markupsafe", "threadpoolctl")


def small(*, names=SMALL, own=b""):
    """Locked requirements with their hashes: a library with an extension, and one without."""
    found = requirements_of(("mlflow",), None, python="3.11", machine="x86_64")
    lines = [line for line in found.text.splitlines() if line.partition("==")[0] in names]
    return Requirements(
        text="".join(f"{line}\n" for line in lines),
        names=tuple(line.split()[0] for line in lines),
        hashed=True,
        own=own,
    )


def build(cache, requirements=None, *, python="3.11", arch="x86_64", report=lambda _text: None):
    return build_environment(
        requirements or small(), python=python, arch=arch, cache=cache, report=report
    )


def machines(archive):
    """The ELF machine of each binary in an archive."""
    with tarfile.open(archive) as tar:
        return {
            entry.name: struct.unpack_from("<H", tar.extractfile(entry).read(20), 18)[0]
            for entry in tar
            if ".so" in entry.name
        }


def test_the_same_inputs_give_the_same_bytes(tmp_path):
    """In another folder, at another time; nothing in it tells when or where it was made."""
    first, second = build(tmp_path / "a"), build(tmp_path / "b")
    assert first.path.read_bytes() == second.path.read_bytes()
    assert (first.sha256, first.content) == (second.sha256, second.content)
    with tarfile.open(first.path) as tar:
        entries = tar.getmembers()
    assert {(0, 0, 0, "", "")} == {(e.mtime, e.uid, e.gid, e.uname, e.gname) for e in entries}
    assert sorted(e.name for e in entries) == [e.name for e in entries]
    assert b"\0\0\0\0" == first.path.read_bytes()[4:8]  # gzip's own time
    assert str(tmp_path).encode() not in gzip.decompress(first.path.read_bytes())


def test_an_environment_is_built_once(tmp_path):
    said = []
    first = build(tmp_path, report=said.append)
    assert any("2 libraries" in text for text in said)
    said.clear()
    began = time.perf_counter()
    assert first == build(tmp_path, report=said.append)
    assert 0.5 > time.perf_counter() - began
    assert [] == said


def test_an_archive_that_was_cut_short_is_built_again(tmp_path):
    built = build(tmp_path)
    built.path.write_bytes(built.path.read_bytes()[:100])
    assert built == build(tmp_path)
    assert built.bytes == built.path.stat().st_size


def test_nothing_is_left_of_a_build_that_failed(tmp_path):
    wrong = Requirements(text="threadpoolctl==0.0.1\n", names=("x",), hashed=False)
    with pytest.raises(PackageError, match="cannot be installed") as error:
        build(tmp_path, wrong)
    assert [] == list(tmp_path.iterdir())
    assert "http" not in str(error.value)


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_binaries_are_for_the_clusters_processor(tmp_path, arch):
    """Graviton's are built from here, where nothing of them could run."""
    found = machines(build(tmp_path, arch=arch).path)
    assert {MACHINES[arch]} == set(found.values())
    assert all("cpython-311" in name for name in found)


def test_binaries_are_for_the_clusters_python(tmp_path):
    found = machines(build(tmp_path, python="3.13").path)
    assert found
    assert all("cpython-313" in name for name in found)


def test_the_key_tells_every_input_apart():
    keys = [
        environment_key(requirements, python=python, arch=arch)
        for requirements in (
            small(),
            small(names=SMALL[:1]),
            small(own=b"own"),
            replace(small(), wanted=("a==1",)),
        )
        for python in ("3.11", "3.13")
        for arch in ("x86_64", "arm64")
    ]
    assert 16 == len(set(keys))
    assert keys[0] == environment_key(small(), python="3.11", arch="x86_64")


def test_own_requirements_are_installed_besides(tmp_path):
    """By their hashes: one that is wrong is refused."""
    line = small(names=("threadpoolctl",)).text.encode()
    built = build(tmp_path, small(names=("markupsafe",), own=line))
    with tarfile.open(built.path) as tar:
        assert "threadpoolctl.py" in tar.getnames()
    wrong = line.split(b" --hash")[0] + b" --hash=sha256:" + b"0" * 64 + b"\n"
    with pytest.raises(PackageError, match=r"[Hh]ash"):
        build(tmp_path, small(names=("markupsafe",), own=wrong))


@pytest.mark.parametrize("name", ["pyspark", "py4j", "delta"])
def test_the_clusters_own_spark_is_never_hidden(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(PackageError, match=f"holds {name}"):
        check_folder(tmp_path, python="3.11", arch="x86_64")


def test_binaries_for_another_machine_are_refused(tmp_path):
    binary = tmp_path / "lib" / "_fast.cpython-311-x86_64-linux-gnu.so"
    binary.parent.mkdir()
    binary.write_bytes(b"\x7fELF" + bytes(14) + struct.pack("<H", 62))
    check_folder(tmp_path, python="3.11", arch="x86_64")
    with pytest.raises(PackageError, match="another processor than arm64"):
        check_folder(tmp_path, python="3.11", arch="arm64")
    with pytest.raises(PackageError, match="for Python 311, the cluster's is 313"):
        check_folder(tmp_path, python="3.13", arch="x86_64")


def test_a_linked_library_with_a_version_is_looked_at(tmp_path):
    (tmp_path / "libarrow.so.2600").write_bytes(b"\x7fELF" + bytes(14) + struct.pack("<H", 183))
    with pytest.raises(PackageError, match=r"libarrow\.so\.2600"):
        check_folder(tmp_path, python="3.11", arch="x86_64")


def test_what_is_stripped_leaves_no_line_in_the_record(tmp_path):
    """Scripts name this machine's Python; pandas' tests are 15 MB; NumPy imports from its own."""
    for name in ("bin/tool", "pandas/tests/a.py", "numpy/tests/b.py", "numpy/__init__.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    info = tmp_path / "numpy-2.dist-info"
    info.mkdir()
    (info / "direct_url.json").write_text(json.dumps({"url": "file:///somewhere"}))
    (info / "RECORD").write_text("bin/tool,,\nnumpy/__init__.py,,\nnumpy-2.dist-info/RECORD,,\n")
    strip(tmp_path)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"numpy/tests/b.py", "numpy/__init__.py", "numpy-2.dist-info/RECORD"} == left
    assert "numpy-2.dist-info/RECORD,,\nnumpy/__init__.py,,\n" == (info / "RECORD").read_text()


def test_an_archive_gives_back_what_was_packed(tmp_path):
    """Executables stay so; a name longer than a tar's field stays whole."""
    site = tmp_path / "site"
    long = site / ("d" * 120) / ("f" * 120)
    long.parent.mkdir(parents=True)
    long.write_text("text")
    long.chmod(0o700)
    archive = tmp_path / "a.tar.gz"
    write_tar_gz(site, archive)
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as tar:
        (entry,) = tar.getmembers()
        assert f"{'d' * 120}/{'f' * 120}" == entry.name
        assert 0o755 == entry.mode
        assert b"text" == tar.extractfile(entry).read()


def test_the_absence_of_uv_is_told(monkeypatch, tmp_path):
    assert uv()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sparkml.models.wheels.project_folder", lambda: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(PackageError, match="pip install uv"):
        build(tmp_path)


def test_the_versions_that_models_record_come_before_the_lock_s(tmp_path):
    """The others stay the lock's; for the cluster's Python and processor."""
    wanted = ("threadpoolctl==3.5.0", "markupsafe>=2")
    built = build(tmp_path, replace(small(), wanted=wanted), python="3.13", arch="arm64")
    locked = dict(name.split("==") for name in small().names)
    with tarfile.open(built.path) as tar:
        infos = {name.partition("/")[0] for name in tar.getnames() if "dist-info" in name}
    assert infos == {
        "threadpoolctl-3.5.0.dist-info",
        f"markupsafe-{locked['markupsafe']}.dist-info",
    }
    assert {MACHINES["arm64"]} == set(machines(built.path).values())


def test_what_is_the_lock_s_has_its_hashes_beside_what_models_record(tmp_path):
    """One library that a model records takes the check from no other."""
    usual = small()
    other = re.sub("sha256:[0-9a-f]{8}", "sha256:00000000", usual.text)
    wanted = ("threadpoolctl==3.5.0", "markupsafe>=2")
    with pytest.raises(PackageError, match="markupsafe"):
        build(tmp_path, replace(usual, text=other, wanted=wanted))
