"""The `MLmodel` file: YAML and JSON that mean too much, too little, or something else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sklearn

from tests.hostile.outcomes import RIGHT, Case, Given
from tests.hostile.tabular import (
    COLUMNS,
    SIGNATURE,
    VECTORS,
    mlflow_folder,
    scored,
    skops_bytes,
    skops_mlmodel,
)

if TYPE_CHECKING:
    from pathlib import Path


REFUSED, UNREADABLE, UNSUPPORTED = "MODEL_REFUSED", "MODEL_UNREADABLE", "FLAVOR_UNSUPPORTED"
LAUGHS = "".join(
    f"a{n}: &a{n} [{', '.join(f'*a{n - 1}' for _ in range(9))}]\n" for n in range(1, 30)
)
LAUGHS = f"a0: &a0 [lol, lol]\n{LAUGHS}"
"""Values that would be 10^28 if they were written out."""


def told(text: bytes | str, rows: Any = COLUMNS):
    """A maker of the skops model with this `MLmodel`."""

    def make(folder: Path) -> Given:
        return scored(mlflow_folder(folder, text, model__skops=skops_bytes()), rows)

    return make


def flavor(**keys: Any):
    """A maker of the skops model whose flavor has these keys instead."""
    made = json.loads(skops_mlmodel())
    made["flavors"]["sklearn"] |= keys
    return told(json.dumps(made))


def signed(inputs: Any, outputs: Any = SIGNATURE["outputs"], rows: Any = COLUMNS):
    """A maker of the skops model with this signature."""
    return told(skops_mlmodel(signature={"inputs": inputs, "outputs": outputs}), rows)


def column(**keys: Any) -> str:
    """The JSON of two inputs, the first with these keys instead."""
    first, second = json.loads(SIGNATURE["inputs"])
    return json.dumps([{**first, **keys}, second])


def tensor(**keys: Any) -> str:
    """The JSON of an input that is a tensor."""
    return json.dumps(
        [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2], **keys}}]
    )


def as_folder(folder: Path) -> Path:
    """A model whose `MLmodel` is a folder."""
    made = mlflow_folder(folder, "", model__skops=skops_bytes())
    (made / "MLmodel").unlink()
    (made / "MLmodel").mkdir()
    (made / "MLmodel" / "x").touch()
    return made


PLAIN = skops_mlmodel()
YAML = f"""\
# written by hand
flavors:
  sklearn: &own
    pickled_model: model.skops
    serialization_format: 'skops'
    sklearn_version: {sklearn.__version__}
    code: null
  mine: *own
artifact_path: "m\\u00f6del"
utc_time_created: 2026-01-01 00:00:00.000001
signature:
  inputs: '{SIGNATURE["inputs"]}'
  outputs: '{SIGNATURE["outputs"]}'
"""
ANY_ERROR = f"{UNREADABLE} {UNSUPPORTED} SIGNATURE_UNKNOWN SIGNATURE_MISMATCH"

CASES = (
    *(
        Case(f"benign: MLmodel {name}", make, RIGHT)
        for name, make in {
            "of MLflow": told(PLAIN),
            "by hand, with an alias": told(YAML),
            "with a mark of byte order": told(b"\xef\xbb\xbf" + YAML.encode()),
            "of Windows": told(YAML.replace("\n", "\r\n")),
            "with a document's start and end": told(f"---\n{YAML}...\n"),
            "without signature": told(skops_mlmodel(signature={}), VECTORS),
            "with a tensor": signed(tensor(), rows=VECTORS),
            "with keys of tomorrow": told(
                PLAIN.replace('"flavors"', '"x": {"y": [1, {}]}, "flavors"')
            ),
        }.items()
    ),
    # YAML
    *(
        Case(f"MLmodel: {name}", told(text), UNREADABLE)
        for name, text in {
            "a billion laughs": f"{LAUGHS}{YAML}",
            "a billion laughs for the version": YAML.replace(
                "utc_time", f"{LAUGHS}v: *a29\nutc_time"
            ),
            "a billion laughs for the flavors": f"{LAUGHS}flavors: *a29\n",
            "an anchor in itself": "flavors: &f {sklearn: *f}\n",
            "a merge key": YAML.replace("mine: *own", "mine: {<<: *own}"),
            "a key twice": f"{YAML}artifact_path: x\n",
            "a flavor twice": YAML.replace("mine: *own", "sklearn: {pickled_model: x}"),
            "a tag that calls": f"{YAML}x: !!python/object/apply:os.system [echo]\n",
            "a tag that is plain": f"{YAML}x: !!str y\n",
            "a tag on the whole": f"!!map\n{YAML}",
            "a key that is a list": f"{YAML}? [a, b]\n: c\n",
            "two documents": f"{YAML}---\n{YAML}",
            "10,000 levels of lists": f"{YAML}x: {'[' * 10_000}{']' * 10_000}\n",
            "100,000 levels never closed": f"{YAML}x: {'{a: ' * 100_000}",
            "a list 1,000 levels deep by dashes": f"{YAML}x:\n  {'- ' * 1_000}y\n",
            "17 MiB": f"{YAML}# {'x' * (17 << 20)}\n",
            "300,000 values": f"{YAML}x: [{'1,' * 300_000}]\n",
            "NUL": YAML.replace("m\\u00f6del", "a\0b"),
            "a bell and an escape": YAML.replace("m\\u00f6del", "\x07\x1b[2J"),
            "half a surrogate": f'{YAML}x: "\\ud800"\n',
            "no YAML at all": b"\x00\x01\x02\xff" * 50,
        }.items()
    ),
    Case(
        "MLmodel: Latin-1",
        told(YAML.encode().replace(b"\\u00f6", b"\xf6")),
        f"{RIGHT} {UNREADABLE}",
    ),
    Case("MLmodel: UTF-16", told(YAML.encode("utf-16")), f"{RIGHT} {UNREADABLE}"),
    Case("MLmodel: a folder", as_folder, f"{ANY_ERROR} {RIGHT}"),
    # Other types than MLflow writes
    *(
        Case(
            f"MLmodel: {text[:40]!r}",
            told(text),
            ANY_ERROR,
        )
        for text in (
            "",
            "5",
            "[]",
            "flavors",
            "flavors:",
            "flavors: 5",
            "flavors: []",
            "flavors: [sklearn]",
            "flavors: {}",
            "flavors: {sklearn: 5}",
            "flavors: {sklearn: x}",
            "flavors: {sklearn: [5]}",
            "flavors: {sklearn: }",
            "flavors: {5: {}}",
            "flavors: {'': {}}",
            "flavors: {sklearn: {}, 5: 5}",
            "flavors: {lightgbm: {}}",
            "flavors: {xgboost: {}}",
            "flavors: {catboost: {}}",
            "flavors: {onnx: {}}",
            "flavors: {spark: {}}",
            "flavors: {xgboost: {data: [5]}}",
            "flavors: {catboost: {data: {a: b}}}",
            "flavors: {lightgbm: {data: 5.5}}",
            "flavors: {onnx: {data: null}}",
            "flavors: {spark: {model_data: [x]}}",
            "flavors: {catboost: {data: model.skops, save_format: [5]}}",
            "flavors: {onnx: {data: model.skops, onnx_session_options: 5}}",
            "flavors: {onnx: {data: x, onnx_session_options: {graph_optimization_level: x}}}",
        )
    ),
    Case("MLmodel: keyed without anything", told("flavors: {keyed: {}}"), REFUSED),
    Case(
        "MLmodel: keyed with rubbish",
        lambda folder: Given(uri=told("flavors: {keyed: {format: 1, keys: 5}}")(folder).uri),
        ANY_ERROR,
        "always",
    ),
    # The file that it names
    *(
        Case(f"pickled_model: {str(name)[:30]!r}", flavor(pickled_model=name), outcomes)
        for name, outcomes in (
            ("/etc/passwd", REFUSED),
            ("../model.skops", REFUSED),
            ("a/../../b", REFUSED),
            ("", UNREADABLE),
            (".", UNREADABLE),
            ("MLmodel", UNREADABLE),
            ("none", UNREADABLE),
            (None, UNREADABLE),
            (5, UNREADABLE),
            (["model.skops"], UNREADABLE),
            ({"a": 1}, UNREADABLE),
            (True, UNREADABLE),
        )
    ),
    *(
        Case(f"pickled_model: {what}", flavor(pickled_model=name), UNREADABLE)
        for what, name in (
            ("NUL", "a\0b"),
            ("5,000 characters", "x" * 5_000),
            ("3,000 folders", "/".join("x" * 3_000)),
        )
    ),
    *(
        Case(f"code: {str(name)[:30]!r}", flavor(code=name), REFUSED)
        for name in (
            "/",
            "..",
            ".",
            "x",
            ["."],
            {"a": 1},
            5,
        )
    ),
    Case("a version of 5,000 characters", flavor(sklearn_version="9." * 2_500), RIGHT),
    Case("a version that is a list", flavor(sklearn_version=[1, {"a": 2}]), RIGHT),
    Case(
        "a version that moves the cursor",
        lambda folder: Given(
            uri=flavor(sklearn_version="1.0\x1b[2J\x9b\u202e")(folder).uri,
            options={"environment": "error"},
        ),
        "MODEL_ENVIRONMENT",
    ),
    Case(
        "a version of 5,000 characters that is an error",
        lambda folder: Given(
            uri=flavor(sklearn_version="9." * 2_500)(folder).uri,
            options={"environment": "error"},
        ),
        "MODEL_ENVIRONMENT",
    ),
    # The signature
    *(
        Case(f"inputs: {str(inputs)[:40]!r}", signed(inputs), f"{ANY_ERROR} {RIGHT}")
        for inputs in (
            5,
            [5],
            {"a": 1},
            "5",
            "{}",
            "[5]",
            '["a"]',
            "[{}]",
            "[null]",
            "null",
            "",
            "no JSON",
            "NaN",
            "[" * 100_000,
            '[{"name": "a", "name": "b", "type": "double"}]',
            column(type=5),
            column(type=["double"]),
            column(type="array"),
            column(type="array", items=5),
            column(type="array", items={"type": "array", "items": {"type": "double"}}),
            column(type="object", properties=5),
            column(name=5),
            column(name=None),
            column(name="b"),
            column(name=["a"]),
            column(required="no"),
            tensor(shape=5),
            tensor(shape="ab"),
            tensor(shape=[-1, 10**12]),
            tensor(shape=[-1, 2.5]),
            tensor(shape=[[-1], 2]),
            tensor(shape=[]),
            tensor(shape=[-1] + [0] * 100),
            tensor(dtype=5),
            tensor(dtype="complex64"),
            tensor(dtype=["a"]),
            tensor(shape=[-1, -2]),
            '[{"type": "tensor"}]',
            '[{"type": "tensor", "tensor-spec": 5}]',
        )
    ),
    *(
        Case(
            f"outputs: {str(outputs)[:40]!r}",
            signed(SIGNATURE["inputs"], outputs),
            f"{ANY_ERROR} {RIGHT}",
        )
        for outputs in (
            5,
            [5],
            "{}",
            "[5]",
            "[{}]",
            "no JSON",
            "[" * 100_000,
            tensor(shape=[-1, 10**12]),
        )
    ),
    Case(
        "a column of 5,000 characters",
        signed(column(name="x" * 5_000)),
        ANY_ERROR,
    ),
    Case(
        "a column that moves the cursor",
        signed(column(name="\x1b[2J\u202e\x07")),
        f"{ANY_ERROR} {RIGHT}",
    ),
    Case(
        "100,000 columns",
        signed(json.dumps([{"name": f"c{n}", "type": "double"} for n in range(100_000)])),
        ANY_ERROR,
    ),
)
