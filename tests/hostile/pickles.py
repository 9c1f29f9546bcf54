"""Pickles: refused where code may not run, survived and kept from the machine where it may."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import socket
import textwrap
import zlib
from typing import TYPE_CHECKING, Any

import joblib

from tests.hostile.outcomes import CANARY, RIGHT, Case, Given
from tests.hostile.tabular import (
    VECTORS,
    joblib_bytes,
    logistic,
    mlflow_folder,
    put,
    scored,
)

if TYPE_CHECKING:
    from pathlib import Path


REFUSED, UNREADABLE = "MODEL_REFUSED", "MODEL_UNREADABLE"
SINGS = f"raise RuntimeError({CANARY!r})"


class Runs:
    """Unpickled, it runs a source text; with an expression, it becomes its value."""

    def __init__(self, source: str, expression: str = "") -> None:
        self.source, self.expression = textwrap.dedent(source), expression

    def __reduce__(self) -> Any:
        if self.expression:
            return eval, (f"(exec({self.source!r}, s := {{}}), eval({self.expression!r}, s))[1]",)
        return exec, (self.source,)


def runs(source: str, name: str = "m.pkl", expression: str = ""):
    """A maker of a pickle that runs the source; `CANARY_FILE` in it is the canary's path."""

    def make(folder: Path) -> Path:
        told = source.replace("CANARY_FILE", repr(str(folder.parent / "canary")))
        return put(pickle.dumps(Runs(told, expression)), name)(folder)

    return make


def lies(body: str, *, then: str = "m"):
    """A maker of a pickle whose object is of a class with this body."""
    source = f"class Model:\n{textwrap.indent(textwrap.dedent(body), '    ')}\nm = Model()\n"
    return runs(source, expression=then)


def asked(make):
    """A maker of the same, with rows to score."""
    return lambda folder: scored(make(folder), VECTORS)


def to_a_server(folder: Path) -> Path:
    """A pickle that connects to a server of this process."""
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    SERVERS.append(server)
    source = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2); {SINGS}"
    return runs(source)(folder)


SERVERS: list[socket.socket] = []


def against_the_driver(folder: Path) -> Path:
    """A pickle that signals this very process."""
    return runs(f"import os; os.kill({os.getpid()}, 0); {SINGS}")(folder)


def removes(folder: Path) -> Path:
    """A pickle that removes a file of the user's."""
    victim = folder.parent / "victim"
    victim.write_text("mine")
    return runs(f"import os; os.remove({str(victim)!r}); {SINGS}")(folder)


def promised_by_itself(folder: Path) -> Path:
    """A pickle with the right digest beside it, in all the places where a digest may stand."""
    path = runs(SINGS, "m.joblib")(folder)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "model.sha256").write_text(f"{digest}  m.joblib\n")
    return path


def folder_promised_by_itself(folder: Path) -> Path:
    """The same for a folder."""
    from sparkml.models.digest import digest_of

    made = in_mlflow("sklearn: {pickled_model: m.pkl, serialization_format: pickle}")(folder)
    (made / "model.sha256").write_text(digest_of(made))
    return made


def promised(folder: Path) -> Given:
    """A pickle that the user himself has promised."""
    path = put(joblib_bytes(), "m.joblib")(folder)
    return scored(path, VECTORS, digest=hashlib.sha256(path.read_bytes()).hexdigest())


def in_mlflow(flavor: str):
    """A maker of an MLflow model with one flavor, and a pickle `m.pkl` that sings."""

    def make(folder: Path) -> Path:
        return mlflow_folder(folder, f"flavors:\n  {flavor}\n", m__pkl=pickle.dumps(Runs(SINGS)))

    return make


def joblib_bomb(folder: Path) -> Path:
    """3 GB of zeros in 3 MB, as joblib's zlib."""
    made = zlib.compressobj(9)
    head = pickle.dumps(b"")[:2] + b"\x8e" + (3 << 30).to_bytes(8, "little")
    pieces = [made.compress(head)]
    pieces += [made.compress(bytes(64 << 20)) for _ in range(6)]  # 384 MB of them do
    return put(b"".join(pieces) + made.flush(), "m.joblib")(folder)


def dumped(model: Any, name: str = "m.joblib", **options: Any):
    """A maker of a file by joblib, with its rows."""

    def make(folder: Path) -> Given:
        file = io.BytesIO()
        joblib.dump(model(), file, **options)
        return scored(put(file.getvalue(), name)(folder), VECTORS)

    return make


def _always(name: str, make: Any, outcomes: str = UNREADABLE) -> Case:
    return Case(name, make, outcomes, "always")


ALL_PIPES = "import os\nfor d in range(3, 64):\n  try: os.write(d, {!r})\n  except OSError: pass\n"
FORGED = b'{"answer": {"flavor": "sklearn", "signature": 5}, "imported": []}\n'
"""What the sandbox tells the driver when a model has passed, but for its signature."""
RAISES = "class E(Exception):\n  def __str__(self): {}\nraise E"
FITS = "def fit(self): pass\ndef predict(self, X): return [0.0] * len(X)\n"

CASES = (
    # Not trusted: nothing of it is loaded.
    *(
        Case(f"a pickle under {trust}, {name}", runs(SINGS, name), REFUSED, trust)
        for trust in ("never", "promised")
        for name in ("m.pkl", "m.joblib", "m.pickle", "m.pt")
    ),
    Case("a file that vouches for itself", promised_by_itself, REFUSED, "promised"),
    Case("a folder that vouches for itself", folder_promised_by_itself, REFUSED, "promised"),
    Case("a promise by the user", promised, RIGHT, "promised"),
    *(
        Case(
            f"in MLflow: {flavor.partition(':')[0]} {number}",
            in_mlflow(flavor),
            f"{REFUSED} {UNREADABLE}" if "pytorch" in flavor else REFUSED,
        )
        for number, flavor in enumerate(
            (
                "sklearn: {pickled_model: m.pkl, serialization_format: pickle}",
                "sklearn: {pickled_model: m.pkl, serialization_format: cloudpickle}",
                "sklearn: {pickled_model: m.pkl, serialization_format: SKOPS}",
                "sklearn: {pickled_model: m.pkl, serialization_format: joblib}",
                "sklearn: {pickled_model: m.pkl, serialization_format: [skops]}",
                "sklearn: {pickled_model: m.pkl}",
                "sklearn: {pickled_model: m.pkl, serialization_format: skops, code: .}",
                "lightgbm: {data: m.pkl, model_class: lightgbm.sklearn.LGBMClassifier}",
                "lightgbm: {data: m.pkl, model_class: lightgbm.sklearn.LGBMClassifier, code: .}",
                "statsmodels: {data: m.pkl}",
                "pytorch: {model_data: ., pickle_module_name: os}",  # it holds no weights
                "keyed: {format: 1}",
                "python_function: {loader_module: os, python_model: m.pkl}",
                "python_function: {loader_module: mlflow.sklearn, data: m.pkl}",
                "python_function: {loader_module: mlflow.onnx.x, data: m.pkl}",
                "python_function: {loader_module: [mlflow.onnx], data: m.pkl}",
                "python_function: {loader_module: mlflow.onnx, code: ., data: m.pkl}",
                "python_function: {loader_module: mlflow.spark, data: m.pkl}",
            )
        )
    ),
    # Trusted, and opened first where it can do no harm.
    _always("a segfault", runs("import ctypes; ctypes.string_at(0)")),
    _always("an abort", runs("import os; os.abort()")),
    _always("a bus error", runs("import os; os.kill(os.getpid(), 7)")),
    _always("os._exit(0)", runs("import os; os._exit(0)")),
    _always("SystemExit", runs("raise SystemExit(0)")),
    _always("KeyboardInterrupt", runs("raise KeyboardInterrupt")),
    _always("GeneratorExit", runs("raise GeneratorExit")),
    _always("RecursionError", runs("f = lambda: f()\nf()")),
    _always(
        "a stack overflow in C", runs("x = []\nfor _ in range(10**6): x = [x]\nrepr(x)\ndel x")
    ),
    _always("an endless loop", runs("while True: pass")),
    _always(
        "processes that outlive their parent",
        runs("""
        import os, signal, time
        for _ in range(4):
            if not os.fork(): time.sleep(60)
        os.kill(os.getpid(), signal.SIGKILL)"""),
    ),
    _always(
        "a process with a session of its own",
        runs(f"""
        import os
        if not os.fork():
            os.setsid()
            os._exit(0 if os.fork() else 1)
        if os.wait()[1] == 0: {SINGS}"""),
    ),
    _always(
        "all signals ignored",
        runs(
            "import os, signal as g\n[g.signal(s, g.SIG_IGN) for s in (1, 2, 13, 15)]\nos.abort()"
        ),
    ),
    _always("4 GB of bytes", runs(f"x = b'x' * (4 << 30); {SINGS}")),
    _always("8 GB of objects", runs(f"x = [0] * 10**9; {SINGS}")),
    _always("4 GB of NumPy", runs(f"import numpy; x = numpy.ones(1 << 29); {SINGS}")),
    _always("joblib's bomb", joblib_bomb),
    _always("a file written", runs(f"open(CANARY_FILE, 'w').write('x'); {SINGS}")),
    _always("a folder made", runs(f"import os; os.mkdir(CANARY_FILE); {SINGS}")),
    _always("a link made", runs(f"import os; os.symlink('/', CANARY_FILE); {SINGS}")),
    _always("a pipe made", runs(f"import os; os.mkfifo(CANARY_FILE); {SINGS}")),
    _always(
        "a file written by another program",
        runs(f"import subprocess; subprocess.run(['touch', CANARY_FILE], check=True); {SINGS}"),
    ),
    _always("a file of the user's removed", removes),
    _always("a connection", to_a_server),
    _always("a server", runs(f"import socket; socket.socket().listen(); {SINGS}")),
    _always("a socket of Unix", runs(f"import socket; socket.socket(socket.AF_UNIX); {SINGS}")),
    _always("its parent killed", runs(f"import os; os.kill(os.getppid(), 9); {SINGS}")),
    _always("the driver signalled", against_the_driver),
    _always(
        "its parent traced",
        runs(
            "import ctypes, os\nlibc = ctypes.CDLL(None)\n"
            f"if libc.ptrace(16, os.getppid(), 0, 0) == 0: {SINGS}"
        ),
    ),
    _always(
        "limits raised",
        runs(f"import resource as r\nr.setrlimit(r.RLIMIT_DATA, (1 << 40,) * 2)\n{SINGS}"),
    ),
    _always("all descriptors closed", runs("import os; os.closerange(0, 4096)")),
    _always("nonsense in all pipes", runs(ALL_PIPES.format(b"\xff{[\n"))),
    _always("deep nonsense in all pipes", runs(ALL_PIPES.format(b"[" * 60_000 + b"\n"))),
    _always("an answer of its own in all pipes", runs(ALL_PIPES.format(FORGED))),
    _always(
        "an error of its own in all pipes",
        runs(
            ALL_PIPES.format(
                b'{"answer": {"error": {"code": "NONE"}, "traceback": 5}, "imported": []}\n'
            )
        ),
    ),
    _always("a death of its own in all pipes", runs(ALL_PIPES.format(b'{"died": [5]}\n'))),
    _always("an exception that cannot be told", runs(RAISES.format("raise RuntimeError('x')"))),
    _always("an exception that ends when told", runs(RAISES.format("raise SystemExit(0)"))),
    _always("an exception whose text is none", runs(RAISES.format("return 5"))),
    _always("an exception of 10 MB", runs("raise RuntimeError('x' * 10_000_000)")),
    _always(
        "an exception that moves the cursor",
        runs(r"raise RuntimeError('\x1b[2J\x07\x9b\r')"),
    ),
    _always(
        "an exception that turns the text around",
        runs(r"raise RuntimeError('\u202egnp.exe')"),
    ),
    _always(
        "an exception with half a character",
        runs(r"raise RuntimeError('\udc9b\ud83d')"),
    ),
    _always(
        "an exception with a cause without end",
        runs("e = RuntimeError('x')\ne.__cause__ = e\nraise e"),
    ),
    # Bytes that are no pickle.
    _always("a memo of 4 GB", put(b"\x80\x02Nr\xff\xff\xff\x7f.", "m.pkl")),
    _always(
        "a text of 2^62 bytes", put(b"\x80\x04\x8d" + (1 << 62).to_bytes(8, "little"), "m.pkl")
    ),
    _always(
        "a frame of 2^62 bytes", put(b"\x80\x04\x95" + (1 << 62).to_bytes(8, "little"), "m.pkl")
    ),
    _always("a million marks", put(b"\x80\x02" + b"(" * 1_000_000, "m.pkl")),
    _always("a stack that runs out", put(b"\x80\x020000.", "m.pkl")),
    _always("a protocol of the future", put(b"\x80\xff.", "m.pkl")),
    _always("an extension", put(b"\x80\x02\x84\xff\xff\xff\x7f.", "m.pkl")),
    _always("a persistent id", put(b"Pid\n.", "m.pkl")),
    _always("half a model", put(lambda: joblib_bytes()[:500], "m.joblib")),
    # Objects that are not what they look like.
    _always("a class", lies("", then="Model")),
    _always("a number", runs("", expression="5")),
    _always("no predict", lies("def fit(self): pass")),
    _always(
        "an attribute that ends the process",
        lies(f"{FITS}def __getattr__(self, name): raise SystemExit(name)"),
    ),
    _always(
        "an attribute that is never found out",
        lies(f"{FITS}def __getattr__(self, name): return self"),
        f"{UNREADABLE} SIGNATURE_UNKNOWN",
    ),
    _always(
        "features without number",
        lies(f"{FITS}n_features_in_ = -1"),
        f"{UNREADABLE} SIGNATURE_UNKNOWN",
    ),
    _always(
        "10^9 features", lies(f"{FITS}n_features_in_ = 10**9"), f"{UNREADABLE} SIGNATURE_UNKNOWN"
    ),
    _always(
        "features that are a text",
        lies(f"{FITS}n_features_in_ = 'many'"),
        f"{UNREADABLE} SIGNATURE_UNKNOWN",
    ),
    _always(
        "features named by numbers",
        lies(f"{FITS}feature_names_in_ = [1, None, 2.5]"),
        f"{UNREADABLE} SIGNATURE_UNKNOWN right",
    ),
    _always(
        "a predict that returns one row",
        asked(lies("n_features_in_ = 2\ndef fit(self): pass\ndef predict(self, X): return [1.0]")),
        f"{UNREADABLE} SIGNATURE_UNKNOWN MODEL_CONTRACT MODEL_EXCEPTION",
    ),
    _always(
        "a predict that ends the process",
        lies("n_features_in_ = 2\ndef fit(s): pass\ndef predict(s, X): __import__('os').abort()"),
    ),
    # What people store.
    _always("benign: joblib", dumped(logistic), RIGHT),
    _always("benign: joblib, compressed", dumped(logistic, compress=9), RIGHT),
    _always("benign: joblib, lzma", dumped(logistic, compress=("lzma", 3)), RIGHT),
    _always(
        "benign: a pickle of protocol 5",
        lambda folder: scored(put(pickle.dumps(logistic(), 5), "m.pkl")(folder), VECTORS),
        RIGHT,
    ),
)
