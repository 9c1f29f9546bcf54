"""An ONNX Runtime session for a model's file: its options, its providers, its refusals."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

from sparkml.errors import ConfigError, ModelUnreadable, did_you_mean
from sparkml.models.extras import need
from sparkml.models.flavors.onnx_inner import as_outputs
from sparkml.models.gpu import GPU_PROVIDERS, check_device, device_of, gpu_missing, number_of
from sparkml.models.model_config import check_keys
from sparkml.models.pools import pool_threads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CONFIG = {
    "providers": "execution providers, the preferred first; CPUExecutionProvider by default",
    "device": "where the model runs: cpu (default), cuda (a Spark task's own GPU) or cuda:1",
    "shapes": "input -> the shape of one row's part, where the graph leaves several sizes open",
}
"""The keys of `model_config` that an ONNX model takes."""

CPU = "CPUExecutionProvider"
DATA_FOLDER = "session.model_external_initializers_file_folder_path"
"""Where the data files of a model are that is not opened by its path."""
LONGEST_S, ROWS_A_SECOND = 60.0, 4.0
"""How long a run may take: so long, and longer by so many rows."""
_NOISE = re.compile(
    r"^\[ONNXRuntimeError\] : \d+ : |Load model from .*? failed:|/\S+\.(?:cc|h):\d+ .*?\) "
)
_SILENT = 4  # fatal: everything less is raised as well, and would stand on stderr twice


def check_config(given: Mapping[str, Any]) -> None:
    """Refuse keys of `model_config` that are not in `CONFIG`, and shapes that are none.

    Raises:
        ConfigError: an unknown key, a device that is none, or a shape that is no list of sizes.
    """
    check_keys(given, CONFIG, what="an ONNX model")
    check_device(device_of(given))
    shapes = given.get("shapes", {})
    for name, shape in shapes.items() if isinstance(shapes, dict) else [("", shapes)]:
        if not name or not isinstance(shape, list) or any(type(size) is not int for size in shape):
            raise ConfigError(
                f"{shape!r} is no shape",
                where=f"model_config.shapes.{name}".rstrip("."),
                fix="write {input: [3, 224, 224]}; -1 leaves a size open",
            )


def open_session(
    path: Path,
    model_config: Mapping[str, Any],
    recorded: Mapping[str, Any],
    inner: Sequence[str] = (),
) -> Any:
    """The session of the model at `path`: this process's share of threads, none of them spinning.

    The file is opened by its path, so tensors in files beside it are mapped, not copied.
    `recorded` is MLflow's flavor: of its session options only the level of graph optimization
    counts, since threads and providers are this machine's. `inner` names inner tensors that are to
    be outputs as well; the file is read for them.

    Raises:
        ModelUnreadable: ONNX Runtime refuses the file; its reason is told.
        ConfigError: a provider that is not there.
        GpuMissing: it is told to use a GPU, and ONNX Runtime sees none.
        ExtraMissing: onnxruntime is not installed.
    """
    ort = need("onnxruntime", extra="onnx", why="an ONNX model")
    device = device_of(model_config)
    default = [GPU_PROVIDERS[0], CPU] if device.startswith("cuda") else [CPU]
    providers = _providers(model_config.get("providers", default), ort.get_available_providers())
    options = ort.SessionOptions()
    options.intra_op_num_threads = pool_threads()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _SILENT
    try:
        level = (recorded.get("onnx_session_options") or {}).get("graph_optimization_level")
        if level is not None:
            options.graph_optimization_level = ort.GraphOptimizationLevel(level)
        chosen = [_with_number(name, device) for name in providers]
        model: str | bytes = str(path)
        if inner:
            options.add_session_config_entry(DATA_FOLDER, str(path.parent))
            model = path.read_bytes() + as_outputs(inner)
        session = ort.InferenceSession(model, options, providers=chosen)
    except Exception as error:  # a class for each of its status codes, under Exception itself
        raise ModelUnreadable(
            f"ONNX Runtime {ort.__version__} cannot open the file: {_reason(error)}",
            where=str(path),
            fix=_fix(str(error)),
        ) from error
    refused = [name for name in providers if name not in session.get_providers()]
    if refused and refused[0] in GPU_PROVIDERS:
        raise gpu_missing(device, f"{refused[0]} did not start on this machine")
    if refused:
        raise ConfigError(
            f"{refused[0]} did not start on this machine",
            where="model_config.providers",
            fix="look whether its driver and libraries are there, or leave it out",
        )
    return session


def run_for_a_while(
    session: Any, wanted: list[str], feed: Mapping[str, Any], rows: int
) -> Sequence[Any]:
    """The graph's results; costs 0.1 ms besides.

    A loop's end may depend on the values of a row: after `LONGEST_S` and a second for each
    `ROWS_A_SECOND` rows ONNX Runtime is told to stop, and raises.
    """
    ort = need("onnxruntime", extra="onnx", why="an ONNX model")
    options = ort.RunOptions()
    limit = LONGEST_S + rows / ROWS_A_SECOND
    timer = threading.Timer(limit, setattr, (options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        made: Sequence[Any] = session.run(wanted, feed, options)
        return made
    finally:
        timer.cancel()


def _providers(wanted: Any, available: list[str]) -> list[str]:
    where = "model_config.providers"
    if not isinstance(wanted, list | tuple) or not wanted:
        raise ConfigError(f"{wanted!r} is no list", where=where, fix=f"write [{CPU}]")
    for name in wanted:
        if name not in available and name in GPU_PROVIDERS:
            raise gpu_missing(name, "this onnxruntime is not built for it (onnxruntime-gpu is)")
        if name not in available:
            raise ConfigError(
                f"onnxruntime has no provider '{name}' here",
                where=where,
                fix=did_you_mean(str(name), available),
            )
    return list(wanted)


def _with_number(provider: str, device: str) -> Any:
    """A provider as ONNX Runtime takes it: one on a GPU with the number of that GPU."""
    if provider not in GPU_PROVIDERS:
        return provider
    return (provider, {"device_id": number_of(device) or 0})


def _reason(error: Exception) -> str:
    """ONNX Runtime's words, without the address that stands beside them and its own sources."""
    return _NOISE.sub("", str(error)).strip()


def _fix(text: str) -> str:
    if "opset" in text or "IR version" in text:
        return "install a newer onnxruntime, or convert the model for an older opset"
    if "External data" in text:
        return "give the folder that holds the .onnx file together with its data files"
    if "not a registered function/op" in text:
        return "the model needs operators that onnxruntime does not have; convert it without them"
    return "convert the model again; onnxruntime.InferenceSession(path) shows the whole error"
