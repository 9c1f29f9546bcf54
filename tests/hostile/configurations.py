"""A job's configuration: bombs, tags, control characters, values of every type in every place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.hostile.mlmodels import LAUGHS
from tests.hostile.outcomes import RIGHT, Case, Given, as_command, as_job

if TYPE_CHECKING:
    from pathlib import Path


INVALID = "CONFIG_INVALID"
JOB = """\
models:
  m: {uri: /none/m.skops}
source: {format: parquet, path: in}
key: [id]
sink: {format: delta, path: out}
"""


def job(text: bytes | str, file: str = "job.yaml", **options: Any):
    """A maker of a configuration."""

    def make(folder: Path) -> Given:
        path = folder / file
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        return Given(uri=str(path), options={"env": {}, **options})

    return make


def _case(name: str, text: bytes | str, outcomes: str = INVALID, **options: Any) -> Case:
    return Case(f"job: {name}", job(text, **options), outcomes, door=as_job)


def put_at(key: str, value: str) -> str:
    """The job with this value, in YAML, at one of its keys."""
    return JOB.replace(
        {
            "uri": "/none/m.skops",
            "path": "in",
            "key": "[id]",
            "models": "\n  m: {uri: /none/m.skops}",
            "format": "parquet",
            "sink": " {format: delta, path: out}",
        }[key],
        value,
        1,
    )


CASES = (
    _case("benign: as it is", JOB, RIGHT),
    _case(
        "benign: with an alias",
        JOB.replace("{uri", "&a {uri").replace("source:", "  n: *a\nsource:"),
        RIGHT,
    ),
    _case("benign: with a mark of byte order", b"\xef\xbb\xbf" + JOB.encode(), RIGHT),
    _case("benign: of Windows", JOB.replace("\n", "\r\n"), RIGHT),
    _case(
        "benign: odd names",
        JOB.replace(" m:", " 'größe.3 %':").replace("[id]", '["a b", "ü"]'),
        f"{RIGHT} {INVALID}",
    ),
    _case(
        "benign: from the environment", JOB, RIGHT, env={"SPARKML__SINK__PATH": "s3://bucket/x y"}
    ),
    _case("benign: set", JOB, RIGHT, sets=['sink.path="a=b"', "max_quarantine=0.5"]),
    *(
        _case(name, text)
        for name, text in {
            "a billion laughs": f"{LAUGHS}{JOB}",
            "a billion laughs for the key": put_at("key", "*a29").replace(
                "source", f"{LAUGHS}source"
            ),
            "an anchor in itself": f"{JOB}x: &x [*x]\n",
            "a merge key": f"{JOB}spark: {{<<: {{a: b}}}}\n",
            "a key twice": f"{JOB}key: [other]\n",
            "a tag that calls": f"{JOB}x: !!python/object/apply:os.system [echo]\n",
            "a tag of its own": f"{JOB}x: !x y\n",
            "a key that is a mapping": f"{JOB}? {{a: b}}\n: c\n",
            "two documents": f"{JOB}---\n{JOB}",
            "100,000 levels": f"{JOB}x: {'[' * 100_000}",
            "1,000 levels by dashes": f"{JOB}x:\n  {'- ' * 1_000}y\n",
            "2 MB": f"{JOB}# {'x' * 2_000_000}\n",
            "50,000 values": f"{JOB}x: [{'1,' * 50_000}]\n",
            "50,000 keys": JOB + "".join(f"k{n}: 1\n" for n in range(50_000)),
            "NUL": f"{JOB}x: a\0b\n",
            "a bell": f"{JOB}x: \x07\n",
            "no UTF-8": f"{JOB}# ".encode() + b"\xff\n",
            "UTF-16": JOB.encode("utf-16"),
            "UTF-32": JOB.encode("utf-32"),
            "noise": bytes(range(256)) * 20,
            "empty": "",
            "a list": "[]",
            "a number": "5",
            "a tab": f"{JOB}\tx: 1\n",
            "only an anchor": "&a",
            "only an alias": "*a",
            "a number of 10,000 digits": f"{JOB}max_quarantine: {'9' * 10_000}\n",
            "a number too large": f"{JOB}max_quarantine: 1e400\n",
            "no number": f"{JOB}max_quarantine: .nan\n",
        }.items()
    ),
    *(
        _case(f"{key} is {value[:20]!r}", put_at(key, value))
        for key in ("uri", "path", "key", "models", "format", "sink")
        for value in (" 5", " [[]]", " {a: {b: c}}", " null")
        if (key, value) != ("path", " 5")
    ),
    *(
        _case(name, text, f"{INVALID} {RIGHT}")
        for name, text in {
            "a key that moves the cursor": f'{JOB}"\\e[2J\\a": 1\n',
            "a key that turns around": f'{JOB}"\\u202e": 1\n',
            "a key of two lines": f'{JOB}"a\\nERROR OK: b\\r": 1\n',
            "a key with half a character": f'{JOB}"\\ud800": 1\n',
            "a key of 5,000 characters": f"{JOB}{'k' * 900}: 1\n" + f'{JOB}"{"k" * 5_000}": 1\n',
            "a value that moves the cursor": put_at("format", '"\\e[2J\\a"'),
            "a value of 50,000 characters": put_at("format", "x" * 50_000),
            "a column that moves the cursor": put_at("key", '["\\e[2J", "\\e[2J"]'),
            "a model that moves the cursor": JOB.replace(" m:", ' "\\e[2J":'),
            "a tag that moves the cursor": f"{JOB}x: !<\\e[2J> y\n",
        }.items()
    ),
    _case("a name that moves the cursor", "[]", file="\x1b[2J.yaml"),
    _case("a name of two lines", "[]", file="a\nb.yaml"),
    *(
        _case(f"set: {text[:20]!r}", JOB, sets=[text])
        for text in (
            "",
            "=",
            "a",
            "sink.path",
            "sink..path=x",
            ".=x",
            '"=x',
            "sink.path={a: &a [*a]}",
            "key=[" + "[" * 5_000,
            "sink.path=[1, 2]",
            "x.y=1",
            "models.m=5",
            "a=\0",
            "models.m.uri.x=1",
            "sink={a: 1, a: 2}",
        )
    ),
    *(
        _case(f"environment: {name}", JOB, env={f"SPARKML__{name}": value})
        for name, value in (
            ("", "x"),
            ("SINK", "5"),
            ("SINK__", "x"),
            ("__", "x"),
            ("X", "*a"),
            ("KEY", "{"),
            ("SINK__PATH__X", "1"),
            ("MODELS__M__URI", "[]"),
        )
    ),
    *(
        Case(f"job: {name}", make, INVALID, door=as_job)
        for name, make in {
            "a folder": lambda folder: Given(uri=str(folder), options={"env": {}}),
            "nothing": lambda folder: Given(uri=str(folder / "none.yaml"), options={"env": {}}),
            "a device": lambda _: Given(uri="/dev/zero", options={"env": {}}),
            "a long path": lambda _: Given(uri="x" * 300, options={"env": {}}),
            "a link to itself": lambda folder: (
                (folder / "l").symlink_to("l"),
                Given(uri=str(folder / "l"), options={"env": {}}),
            )[1],
            "a path below a file": lambda folder: Given(
                uri=str(job(JOB)(folder).uri) + "/x", options={"env": {}}
            ),
            "an address of nothing": lambda _: Given(uri="ftp://host/x.yaml", options={"env": {}}),
        }.items()
    ),
    Case(
        "job: a NUL in its path",
        lambda _: Given(uri="a\0b.yaml", options={"env": {}}),
        INVALID,
        door=as_job,
    ),
    Case("command: a bomb", job(f"{LAUGHS}{JOB}"), INVALID, door=as_command),
    Case("command: no file", lambda folder: folder / "none.yaml", INVALID, door=as_command),
    Case(
        "command: an escape",
        job(f'{JOB}"\\e[2J": 1\n'),
        INVALID,
        door=as_command,
    ),
)
