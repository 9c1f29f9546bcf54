"""The transformers flavor: MLflow's saved pipelines of Hugging Face, one text a row."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sparkml.errors import ConfigError, ModelUnreadable, SignatureError
from sparkml.models.extras import need
from sparkml.models.flavors.sklearn_signature import PREDICTION
from sparkml.models.gpu import refuse_missing
from sparkml.models.mlmodel import inside
from sparkml.models.model_config import check_keys
from sparkml.models.pools import pool_threads
from sparkml.spec import Field
from sparkml.type_names import to_arrow_type

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sparkml.models.mlmodel import MLmodel
    from sparkml.spec import Signature

CONFIG = {
    "device": "where the model runs: cpu (default), cuda (a Spark task's own GPU), cuda:1, mps",
    "batch_size": "texts a call, padded to the longest: faster, other last digits; 1 by default",
    "truncation": "true: cut what is longer than the model takes, instead of refusing the row",
}
"""The keys of `model_config` that a pipeline takes."""

OUTPUTS = {
    "text-classification": (
        Field(name=PREDICTION, type="string"),
        Field(name="score", type="double"),
    ),
    "feature-extraction": (Field(name=PREDICTION, type="list<list<double>>"),),
}
"""What a pipeline gives by its task: the label and its score; a vector for each token."""

DATA = frozenset({".safetensors", ".json", ".jsonl", ".txt", ".model", ".yaml", ".yml", ".md"})
PLAIN = frozenset({"MLmodel", "LICENSE", "registered_model_meta"})
"""The suffixes and names of files that are read as data, whatever is in them."""

NAMES_CODE = frozenset(
    {
        "_attn_implementation", "attn_implementation", "auto_map", "custom_pipelines",
        "quantization_config",
    }
)  # fmt: skip
"""The keys of a configuration by which transformers imports, downloads or runs something else."""

COMPONENTS = frozenset({"feature_extractor", "image_processor", "processor", "tokenizer"})
"""What MLflow stores beside the weights, and a pipeline is handed."""

RENAMED = {PREDICTION: "label"}
"""Our name of an output → the pipeline's."""


def runs_code(folder: Path, description: MLmodel | None) -> str:
    """Why one of its files may run code when it is loaded; empty for safetensors and texts."""
    _weights(folder, _own(folder, description))  # they are there
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in PLAIN)
    for path in files:
        name = path.relative_to(folder).as_posix()
        if path.suffix not in DATA:
            return f"{name} may be a pickle, which runs code when it is loaded"
        if path.name == "adapter_config.json":
            return f"{name} names a model elsewhere, whose files may run code"
        if path.name.endswith(("config.json", "index.json")) and _names_code(path):
            return f"{name} names code, or files, that are not the model's"
    return ""


def _names_code(path: Path) -> bool:
    """Whether a configuration names something to import, or weights in another folder."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        shards = told.get("weight_map", {}).values()
        return bool(_keys(told) & NAMES_CODE) or any(PurePath(s).name != s for s in shards)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return True


def _keys(told: Any) -> set[str]:
    inner = told.values() if isinstance(told, dict) else told if isinstance(told, list) else ()
    own = {key for key, value in told.items() if value} if isinstance(told, dict) else set()
    return own.union(*map(_keys, inner))


def open_model(
    folder: Path, description: MLmodel | None, model_config: Mapping[str, Any]
) -> TransformersModel:
    """The pipeline in `folder`, made of classes that transformers itself has; nothing downloaded.

    Raises:
        ModelUnreadable: the weights are elsewhere, damaged, or of a class of the model's own.
        ConfigError: an unknown key of `model_config`.
        ExtraMissing: transformers or torch is not installed.
        GpuMissing: it is told to use a GPU, and torch sees none.
    """
    check_keys(model_config, CONFIG, what="a pipeline")
    why = "a transformers pipeline"
    transformers = need("transformers", extra="transformers", why=why)
    torch = need("torch", extra="transformers", why=why)
    torch.set_num_threads(pool_threads())
    device = str(model_config.get("device", "cpu"))
    refuse_missing(device, there=torch.cuda.device_count(), library="torch")
    own = _own(folder, description)
    weights = _weights(folder, own)
    kind: Any = getattr(transformers, str(own.get("pipeline_model_type")), None)
    known = isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel)
    if not known:
        raise ModelUnreadable(
            f"transformers {transformers.__version__} has no {own.get('pipeline_model_type')}",
            where=str(folder),
            fix="install the version that it was logged with; for a class of its own, "
            "flavor: pyfunc",
        )
    listed = own.get("components") or ()
    if not isinstance(listed, list | tuple) or not COMPONENTS.issuperset(map(str, listed)):
        raise ModelUnreadable(
            f"its components are {listed}, not of {', '.join(sorted(COMPONENTS))}",
            where=str(folder),
            fix="flavor: pyfunc",
        )
    parts = {
        str(name): str(inside(folder, f"components/{name}", key=name, kind="folder"))
        for name in listed
    }
    try:
        # Without a pickle the trust policy was not asked, so none is looked for.
        safe = {} if runs_code(folder, description) else {"use_safetensors": True}
        never = {"trust_remote_code": False}
        model = kind.from_pretrained(str(weights), local_files_only=True, **never, **safe)
        pipe = transformers.pipeline(str(own["task"]), model=model, device=device, **never, **parts)
    except Exception as error:  # whatever damaged files make of it
        raise ModelUnreadable(
            f"the pipeline cannot be loaded: {type(error).__name__}: {error}",
            where=str(folder),
            fix="log it again with the transformers that is here",
        ) from error
    return TransformersModel(pipe, str(own["task"]), model_config, where=str(folder))


class TransformersModel:
    """A loaded pipeline."""

    inputs: tuple[Field, ...] = (Field(name="text", type="string"),)
    differences: tuple[str, ...] = ()
    hint = 'signature=Signature(inputs=(…), outputs=(Field(name="generated_text", type="string"),))'

    def __init__(self, pipe: Any, task: str, config: Mapping[str, Any], *, where: str) -> None:
        self.pipe, self.task, self.where = pipe, task, where
        self.options = {key: config[key] for key in ("batch_size", "truncation") if key in config}

    def outputs(
        self,
        inputs: tuple[Field, ...],  # noqa: ARG002
        recorded: tuple[Field, ...],
    ) -> tuple[Field, ...]:
        """By the pipeline's task, else what MLflow recorded."""
        return OUTPUTS.get(self.task, recorded)

    def extras(self, inputs: tuple[Field, ...]) -> tuple[Field, ...]:  # noqa: ARG002
        """None."""
        return ()

    def predictor(self, signature: Signature, params: Mapping[str, Any]) -> TransformersPredictor:
        """The model as it scores batches of `signature`."""
        if params:
            raise ConfigError("a pipeline takes no params", where=self.where, fix="leave them out")
        if [f.type for f in signature.inputs] != ["string"]:
            raise SignatureError(
                "a pipeline takes one column of texts",
                where=self.where,
                fix='declare one input, Field(name="text", type="string")',
            )
        return TransformersPredictor(self, signature)


class TransformersPredictor:
    """A pipeline bound to a signature; see `base.Predictor`."""

    takes_nan = False

    def __init__(self, model: TransformersModel, signature: Signature) -> None:
        self._model = model
        self._outputs = [(f.name, to_arrow_type(f.type)) for f in signature.outputs]

    def predict(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """The outputs of `batch`."""
        if not batch.num_rows:
            return [pa.array([], dtype) for _, dtype in self._outputs]
        made = self._model.pipe(batch.column(0).to_pylist(), **self._model.options)
        columns = [([_value(row, name) for row in made], dtype) for name, dtype in self._outputs]
        return [pa.array(values, dtype) for values, dtype in columns]


def _value(row: Any, name: str) -> Any:
    """An output of one row; pipelines wrap a lone result in a list."""
    inner = row[0] if isinstance(row, list) and len(row) == 1 else row
    if not isinstance(inner, dict):
        return inner
    return inner[name if name in inner else RENAMED.get(name, name)]


def _own(folder: Path, description: MLmodel | None) -> Mapping[str, Any]:
    if description is None:
        raise ModelUnreadable(
            "transformers reads MLflow models only", where=str(folder), fix="log it with MLflow"
        )
    return description.flavors["transformers"]


def _weights(folder: Path, own: Mapping[str, Any]) -> Path:
    if "model_binary" not in own or "peft_adaptor" in own:
        raise ModelUnreadable(
            "the model does not hold its own weights",
            where=str(folder),
            fix="log it with save_pretrained=True, and adapters merged; or flavor: pyfunc",
        )
    return inside(folder, own["model_binary"], key="model_binary", kind="either")
