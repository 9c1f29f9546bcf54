"""Archives, as they travel to other hosts: bombs, links, overlaps, ways out."""

from __future__ import annotations

import os
import random
import re
import stat
import struct
import zipfile
from typing import TYPE_CHECKING, Any

from sparkml import read_spec
from sparkml.models.archive import pack
from tests.hostile.outcomes import RIGHT, Case, Given, as_archive
from tests.hostile.tabular import put, skops_bytes

if TYPE_CHECKING:
    from pathlib import Path


REFUSED, UNREADABLE, DIGEST = "MODEL_REFUSED", "MODEL_UNREADABLE", "MODEL_DIGEST_MISMATCH"


def archive(fill: Any, *, digest: str = "0" * 64):
    """A maker of a zip that `fill` writes."""

    def make(folder: Path) -> Given:
        path = folder / "packed.zip"
        with zipfile.ZipFile(path, "w") as packed:
            fill(packed)
        return Given(uri=str(path), options={"digest": digest})

    return make


def packed(folder: Path, change: Any = None) -> Given:
    """What `pack` makes of a model; `change` gets its bytes and gives others."""
    spec = read_spec(str(put(skops_bytes(), "m.skops")(folder)))
    path = folder / "packed.zip"
    data = pack(spec.digest).read_bytes()
    path.write_bytes(change(data) if change else data)
    os.environ["SPARKML_CACHE"] = str(folder / "another host's")
    return Given(uri=str(path), options={"digest": spec.digest})


def changed(change: Any):
    """A maker of a changed archive."""
    return lambda folder: packed(folder, change)


def linked(zipped: zipfile.ZipFile) -> None:
    """A link to the root, and a file through it."""
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    zipped.writestr(entry, "/tmp")
    zipped.writestr("link/file", "x")


def overlapping(data: bytes) -> bytes:
    """1,000 entries that all lie on the first one's bytes."""
    end = data.rindex(b"PK\x05\x06")
    start = data.index(b"PK\x01\x02")
    entry = data[start:end]
    length = struct.unpack("<H", entry[28:30])[0]
    entries = b"".join(
        entry[:46] + f"{n:08d}".encode().ljust(length, b"x")[:length] + entry[46 + length :]
        for n in range(1_000)
    )
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1_000, 1_000, len(entries), start, 0)
    return data[:start] + entries + tail


def bomb(zipped: zipfile.ZipFile) -> None:
    """60 MB of zeros, as they are."""
    with zipped.open(zipfile.ZipInfo("zeros"), "w", force_zip64=True) as file:
        for _ in range(6):
            file.write(bytes(10 << 20))


def deflated(folder: Path) -> Given:
    """100 MB of zeros in 100 kB."""
    path = folder / "packed.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("zeros", bytes(100 << 20))
    return Given(uri=str(path), options={"digest": "0" * 64})


def nameless(zipped: zipfile.ZipFile) -> None:
    """An entry without a name."""
    entry = zipfile.ZipInfo("x")
    entry.filename = ""
    zipped.writestr(entry, "x")


def _named(*names: str):
    return lambda zipped: [zipped.writestr(name, "x") for name in names]


def a_pipe(folder: Path) -> Given:
    """A pipe that nobody writes into."""
    os.mkfifo(folder / "packed.zip")
    return Given(uri=str(folder / "packed.zip"), options={"digest": "0" * 64})


CASES = (
    Case("benign: packed and unpacked", packed, RIGHT, door=as_archive),
    *(
        Case(f"an archive {name}", make, REFUSED, door=as_archive)
        for name, make in {
            "with a link": archive(linked),
            "with a way up": archive(_named("../canary")),
            "with a way to the root": archive(_named("/tmp/sparkml-canary")),
            "of Windows": archive(_named("..\\canary", "C:\\x")),
            "with a name twice": archive(_named("a", "./a", "b/../a")),
        }.items()
    ),
    *(
        Case(f"an archive {name}", make, DIGEST, door=as_archive)
        for name, make in {
            "with a file where a folder is": archive(_named("a", "a/b")),
            "with a folder where a file is": archive(_named("a/", "a")),
            "with an empty name": archive(nameless),
            "with a bell": archive(_named("\x07\x1b[2J")),
            "of zeros": archive(bomb),
            "that is a bomb": deflated,
            "whose entries overlap": changed(overlapping),
            "that is cut": changed(lambda data: data[:-30]),
            "of noise": changed(lambda data: random.Random(0).randbytes(5_000)),
            "that is empty": changed(lambda data: b""),
            "with another method": changed(
                lambda data: re.sub(rb"(PK\x01\x02.{6})\0\0", b"\\1c\0", data, flags=re.DOTALL)
            ),
            "that is encrypted": changed(
                lambda data: data.replace(
                    b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01"
                ).replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
            ),
            "with a byte changed": changed(lambda data: data.replace(b"sklearn", b"sklaern", 1)),
        }.items()
    ),
    Case(
        "an archive with a name of 5,000 characters",
        archive(_named("x" * 5_000)),
        DIGEST,
        door=as_archive,
    ),
    Case(
        "an archive that is a pipe",
        a_pipe,
        f"{DIGEST} {UNREADABLE}",
        door=as_archive,
    ),
)
