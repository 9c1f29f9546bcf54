"""What else lies beside a model: requirements, conda's and Python's environments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.mlmodels import LAUGHS, PLAIN
from tests.hostile.outcomes import RIGHT, Case, Given
from tests.hostile.tabular import mlflow_folder, scored, skops_bytes

if TYPE_CHECKING:
    from pathlib import Path


UNREADABLE = "MODEL_UNREADABLE"


def beside(name: str, data: bytes | str, **options: str):
    """A maker of the skops model with this file."""

    def make(folder: Path) -> Given:
        files = {name.replace(".", "__"): data, "model__skops": skops_bytes()}
        return scored(mlflow_folder(folder, PLAIN, **files), **options)

    return make


def a_folder(name: str):
    """A maker of the skops model with a folder of this name."""

    def make(folder: Path) -> Given:
        made = mlflow_folder(folder, PLAIN, model__skops=skops_bytes())
        (made / name / "inner").mkdir(parents=True)
        (made / name / "inner" / "file").write_text("x")
        return scored(made)

    return make


CONDA = "name: mlflow-env\nchannels: [conda-forge]\ndependencies:\n- python=3.11\n- pip:\n  - {}\n"

CASES = (
    *(
        Case(f"benign: {name} {number}", beside(name, data), RIGHT)
        for number, (name, data) in enumerate(
            (
                (
                    "requirements.txt",
                    "numpy\n\n# own\n-r other.txt\nscipy @ https://example.com/x.whl\n",
                ),
                ("requirements.txt", "mlflow==3.0.0\nscikit-learn==0.1 ; python_version < '4'\n"),
                ("conda.yaml", CONDA.format("scikit-learn==0.1")),
                (
                    "python_env.yaml",
                    "python: 3.11.7\nbuild_dependencies: [pip==23.2]\ndependencies: [-r x.txt]\n",
                ),
                ("input_example.json", '{"columns": ["a", "b"], "data": [[1, 2]]}'),
            )
        )
    ),
    *(
        Case(f"requirements: {name}", beside("requirements.txt", data), RIGHT)
        for name, data in {
            "Latin-1": "# größer\nnumpy==1.0\n".encode("latin-1"),
            "UTF-16": "numpy==1.0\n".encode("utf-16"),
            "NUL": b"numpy==1.0\0\0\n",
            "a line of 2 MB": "a" * 2_000_000 + "[" * 10_000,
            "lines that look almost like a pin": (" " * 400 + "a" * 90 + "[" + " " * 5 + "\n")
            * 2_000,
            "100,000 pins": "".join(f"p{n}==1\n" for n in range(100_000)),
        }.items()
    ),
    Case("requirements: 17 MiB", beside("requirements.txt", "a\n" * (9 << 20)), UNREADABLE),
    *(
        Case(f"conda: {data[:30]!r}", beside("conda.yaml", data), RIGHT)
        for data in (
            "dependencies: 5",
            "dependencies: {a: b}",
            "dependencies: x",
            "dependencies: [5, null, [], 1.5]",
            "dependencies: [{pip: 5}]",
            "dependencies: [{pip: [5, [], {}]}]",
            "dependencies: [{pip: {a: b}}]",
            "5",
            "",
            "[]",
            "dependencies: [=, ==, '=====']",
            "dependencies:",
        )
    ),
    *(
        Case(f"{file}: {data[:24]!r}", beside(file, data), UNREADABLE)
        for file in ("conda.yaml", "python_env.yaml")
        for data in (
            f"{LAUGHS}dependencies: [{{pip: *a29}}]\npython: *a29\n",
            "dependencies: !!python/object/apply:os.system [echo]\n",
            "<<: {a: b}\n",
            "a: 1\na: 2\n",
            "[" * 50_000,
            "dependencies: [\0]\n",
            "{",
            "a: *none\n",
            b"\xff\xfe\x00",
        )
        if data != b"\xff\xfe\x00"
    ),
    *(
        Case(f"python_env: {data!r}", beside("python_env.yaml", data), RIGHT)
        for data in (
            "python: 5",
            "python: [3, 11]",
            "python: {a: b}",
            "python: ''",
            "python: 3.11",
            "5",
        )
    ),
    Case(
        "python_env: an escape",
        beside("python_env.yaml", 'python: "3\\e[2J"\n', environment="error"),
        "MODEL_ENVIRONMENT",
    ),
    *(
        Case(f"{name}: a folder", a_folder(name), RIGHT)
        for name in ("requirements.txt", "conda.yaml", "python_env.yaml", "x.skops", "metadata")
    ),
)
