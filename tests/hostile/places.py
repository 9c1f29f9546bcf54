"""Where a model lies: pipes, devices, links, odd names, sizes, promises, the cache."""

from __future__ import annotations

import os
import random
import socket
import threading
from pathlib import Path
from typing import Any

from tests.hostile.outcomes import RIGHT, Case, Given, as_model
from tests.hostile.tabular import (
    VECTORS,
    catboost_bytes,
    joblib_bytes,
    lightgbm_text,
    mlflow_folder,
    onnx_bytes,
    put,
    scored,
    skops_bytes,
    skops_mlmodel,
    xgboost_ubj,
)

REFUSED, UNREADABLE, NOT_FOUND = "MODEL_REFUSED", "MODEL_UNREADABLE", "MODEL_NOT_FOUND"
UNSUPPORTED, DIGEST, SETUP = "FLAVOR_UNSUPPORTED", "MODEL_DIGEST_MISMATCH", "SETUP_INVALID"
SUFFIXES = (".joblib", ".pkl", ".skops", ".txt", ".json", ".ubj", ".cbm", ".onnx", ".pickle", ".pt")
BYTES = {
    ".joblib": joblib_bytes,
    ".skops": skops_bytes,
    ".txt": lambda: lightgbm_text().encode(),
    ".ubj": xgboost_ubj,
    ".cbm": catboost_bytes,
    ".onnx": onnx_bytes,
}
"""A right file of each kind."""


def skops_folder(folder: Path) -> Path:
    """The skops model as MLflow stores it."""
    return mlflow_folder(folder, skops_mlmodel(), model__skops=skops_bytes())


def beside(change: Any):
    """A maker of the skops model, whose folder `change` has put something into."""

    def make(folder: Path) -> Given:
        made = skops_folder(folder)
        change(made)
        return scored(made)

    return make


def swapped(change: Any):
    """A maker of the skops model with something else in place of `model.skops`."""

    def make(folder: Path) -> Given:
        made = skops_folder(folder)
        (made / "model.skops").rename(folder / "moved.skops")
        change(made / "model.skops")
        return scored(made)

    return make


def alone(change: Any, name: str):
    """A maker of a lone file that is none."""

    def make(folder: Path) -> Path:
        change(folder / name)
        return folder / name

    return make


def a_socket(path: Path) -> None:
    """A socket, whose path must be short."""
    here = os.open(path.parent, os.O_PATH)
    socket.socket(socket.AF_UNIX).bind(f"/proc/self/fd/{here}/{path.name}")
    os.close(here)


def bytes_name(name: bytes):
    """Puts a file of this name into a folder."""
    return lambda folder: Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"x")


def deep(folder: Path) -> None:
    """200 folders in each other."""
    (folder / "/".join(["d"] * 200)).mkdir(parents=True)
    (folder / "/".join(["d"] * 200) / "file").write_text("x")


def too_deep(folder: Path) -> None:
    """So many folders in each other that no path leads to the last."""
    here = os.open(folder, os.O_RDONLY)
    name = "d" * 20
    for _ in range(300):  # which pytest can remove again
        os.mkdir(name, dir_fd=here)
        here, last = os.open(name, os.O_RDONLY, dir_fd=here), here
        os.close(last)
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def links_in_a_row(folder: Path) -> None:
    """50 links, each to the next: more than the kernel follows."""
    (folder / "l0").write_text("x")
    for number in range(50):
        (folder / f"l{number + 1}").symlink_to(f"l{number}")


def sparse(path: Path) -> None:
    """A file that says it has 200 MB; none of it is stored."""
    with path.open("wb") as file:
        file.truncate(200 << 20)


def told(note: str):
    """A maker of the skops model with this `model.sha256` beside it."""
    return beside(
        lambda made: (made / "model.sha256").write_bytes(note.encode("utf-8", "surrogateescape"))
    )


def swapping(folder: Path) -> Given:
    """A model whose file is a link to a secret every other moment."""
    made = skops_folder(folder)
    secret = folder / "secret"
    secret.write_text("the canary sings")
    right = (made / "model.skops").read_bytes()

    def swap() -> None:
        for _ in range(300):
            for make in (lambda new: new.symlink_to(secret), lambda new: new.write_bytes(right)):
                new = folder / "new"
                make(new)
                new.rename(made / "model.skops")

    threading.Thread(target=swap, daemon=True).start()
    return scored(made)


def repeatedly(given: Given, trust: str) -> None:
    """As a model, ten times: what happens between two looks is not the same each time."""
    for _ in range(10):
        as_model(given, trust)


def cache_of(mode: int, *, below: bool = False, link: bool = False):
    """A maker of the skops model, and of a cache that others may write to."""

    def make(folder: Path) -> Given:
        place = folder / "shared"
        place.mkdir()
        if below:
            (place / "mine").mkdir(mode=0o700)
        place.chmod(mode)
        if link:
            (folder / "link").symlink_to(place)
        chosen = folder / "link" if link else place / "mine" if below else place
        os.environ["SPARKML_CACHE"] = str(chosen)  # the fixture puts it back
        return scored(skops_folder(folder))

    return make


def _noise(suffix: str) -> bytes:
    return random.Random(suffix).randbytes(5_000)


EVERY = f"{UNREADABLE} {REFUSED} {UNSUPPORTED} SIGNATURE_UNKNOWN EXTRA_MISSING"

CASES = (
    # No file
    *(
        Case(f"{what} called m{suffix}", alone(change, f"m{suffix}"), UNREADABLE)
        for suffix in (".onnx", ".skops")
        for what, change in (("a pipe", os.mkfifo), ("a socket", a_socket))
        if what == "a pipe"
    ),
    Case("a socket called m.onnx", alone(a_socket, "m.onnx"), f"{UNREADABLE} {NOT_FOUND}"),
    *(
        Case(f"the address {uri!r}", lambda _, uri=uri: uri, outcomes)
        for uri, outcomes in (
            ("/dev/zero", UNREADABLE),
            ("/dev/stdin", f"{UNREADABLE} {NOT_FOUND} {UNSUPPORTED}"),
            ("/dev/null", UNREADABLE),
            ("/proc/self/mem", f"{UNREADABLE} {NOT_FOUND}"),
            ("/proc/self/environ", f"{UNREADABLE} {UNSUPPORTED}"),
            ("", NOT_FOUND),
            ("x" * 300, NOT_FOUND),
            ("file://host/m.skops", NOT_FOUND),
            ("ftp://host/m.skops", NOT_FOUND),
            ("http://[::1", NOT_FOUND),
            ("http://x/y", NOT_FOUND),
            ("\ud800", NOT_FOUND),
            ("models:/", NOT_FOUND),
            ("models:/../../etc", NOT_FOUND),
            ("s3://", NOT_FOUND),
            ("file://", NOT_FOUND),
            ("://", NOT_FOUND),
        )
    ),
    *(
        Case(f"an address {name}", lambda _, uri=uri: uri, NOT_FOUND)
        for name, uri in (
            ("with NUL", "a\0b"),
            ("with NUL, quoted", "file:///a%00b"),
            ("that moves the cursor", "/none/\x1b[2J\x07"),
            ("of 5,000 characters", "/none/" + "x/" * 2_500),
            ("with half a character", "/none/\udcff"),
            ("that turns around", "/none/\u202e"),
        )
    ),
    Case("a pipe beside", beside(lambda made: os.mkfifo(made / "x")), UNREADABLE),
    Case("a socket beside", beside(lambda made: a_socket(made / "x")), UNREADABLE),
    Case(
        "a pipe below",
        beside(lambda made: (made / "d").mkdir() or os.mkfifo(made / "d" / "x")),
        UNREADABLE,
    ),
    Case("a pipe for the model", swapped(os.mkfifo), UNREADABLE),
    Case("a folder for the model", swapped(Path.mkdir), UNREADABLE),
    Case(
        "a link outside for the model",
        swapped(lambda p: p.symlink_to(p.parent.parent / "moved.skops")),
        REFUSED,
    ),
    Case("a link to a device", swapped(lambda p: p.symlink_to("/dev/zero")), REFUSED),
    Case("a link to itself", swapped(lambda p: p.symlink_to("model.skops")), REFUSED),
    Case("a link to a folder above", beside(lambda made: (made / "up").symlink_to("..")), REFUSED),
    Case("a link to its own folder", beside(lambda made: (made / "me").symlink_to(".")), REFUSED),
    Case("50 links in a row", beside(links_in_a_row), REFUSED),
    Case(
        "a hard link to another file",
        swapped(lambda p: p.hardlink_to(p.parent.parent / "moved.skops")),
        RIGHT,
    ),
    Case(
        "a file that is a link meanwhile",
        swapping,
        f"{RIGHT} {REFUSED} {NOT_FOUND}",
        door=repeatedly,
    ),
    Case("200 folders in each other", beside(deep), UNREADABLE),
    Case("folders no path leads to", beside(too_deep), f"{RIGHT} {UNREADABLE} {NOT_FOUND}"),
    Case("a name with a line's end", beside(lambda made: (made / "a\nb").touch()), RIGHT),
    Case("a name that moves the cursor", beside(lambda made: (made / "\x1b[2J").touch()), RIGHT),
    Case("a name that is no UTF-8", beside(bytes_name(b"\xff\xfe")), RIGHT),
    Case("a name of 255 bytes", beside(lambda made: (made / ("x" * 255)).touch()), RIGHT),
    Case(
        "a model named \\xff.skops",
        lambda folder: scored(put(skops_bytes(), os.fsdecode(b"\xff.skops"))(folder), VECTORS),
        f"{RIGHT} {NOT_FOUND}",
    ),
    Case(
        "a broken model named ESC",
        put("x", "\x1b[2J\x07.skops"),
        UNREADABLE,
    ),
    *(
        Case(
            f"no model, a file named {name!r}",
            lambda folder, name=name: put("x", name)(folder).parent,
            UNSUPPORTED,
        )
        for name in ("\x1b[2J", "a\nb\rc", "\u202e", os.fsdecode(b"\xff"))
    ),
    Case("an empty folder", lambda folder: folder, f"{UNSUPPORTED} {NOT_FOUND}"),
    Case(
        "200 MB of nothing",
        lambda folder: (sparse(folder / "m.cbm"), folder / "m.cbm")[1],
        UNREADABLE,
    ),
    # Of every kind
    *(Case(f"an empty {s}", put(b"", f"m{s}"), EVERY, "always") for s in SUFFIXES),
    *(
        Case(
            f"noise as {s}",
            put(_noise(s), f"m{s}"),
            EVERY,
            "always",
        )
        for s in SUFFIXES
    ),
    *(
        Case(
            f"a {kind} called {s}",
            lambda folder, s=s, make=make: put(make(), f"m{s}")(folder),
            EVERY,
        )
        for kind, make in BYTES.items()
        for s in BYTES
        if s != kind
    ),
    *(
        Case(
            f"half a {kind}",
            lambda folder, s=kind, make=make: put(make()[: len(make()) // 2], f"m{s}")(folder),
            EVERY,
        )
        for kind, make in BYTES.items()
    ),
    # Promises
    *(
        Case(f"model.sha256: {note[:12]!r}", told(note), DIGEST)
        for note in (
            "0" * 64,
            "lie",
            "-",
            "0" * 60_000,
            "../x",
            "5  MLmodel\n5  model.skops",
        )
        if len(note) < 900
    ),
    *(
        Case(f"model.sha256 of {name}", told(note), DIGEST)
        for name, note in (
            ("NUL", "\0"),
            ("10,000 digits", "0" * 10_000),
            ("an escape", "\x1b[2J"),
            ("no UTF-8", "\udcff\udcfe"),
        )
    ),
    Case("model.sha256: empty", told(""), RIGHT),
    Case("model.sha256: for another", told(f"{'0' * 64}\n".replace("0" * 64, "")), RIGHT),
    Case(
        "model.sha256: a pipe",
        beside(lambda made: os.mkfifo(made / "model.sha256")),
        f"{RIGHT} {UNREADABLE}",
    ),
    Case(
        "model.sha256: a folder",
        beside(lambda made: (made / "model.sha256").mkdir()),
        f"{RIGHT} {UNREADABLE}",
    ),
    Case(
        "model.sha256: a link outside",
        beside(lambda made: (made / "model.sha256").symlink_to("/etc/passwd")),
        f"{RIGHT} {UNREADABLE} {REFUSED} {DIGEST}",
    ),
    Case(
        "a digest that is none",
        lambda folder: scored(skops_folder(folder), digest="../../x"),
        DIGEST,
    ),
    Case(
        "the digest of another",
        lambda folder: scored(skops_folder(folder), digest="a" * 64),
        DIGEST,
    ),
    # The cache
    Case("a cache for all", cache_of(0o777), SETUP),
    Case("a cache for a group", cache_of(0o770), SETUP),
    Case("a cache below a folder for all", cache_of(0o777, below=True), SETUP),
    Case("a cache that is a link", cache_of(0o700, link=True), SETUP),
    Case(
        "benign: a cache below a folder for all with the sticky bit",
        cache_of(0o1777, below=True),
        RIGHT,
    ),
)
