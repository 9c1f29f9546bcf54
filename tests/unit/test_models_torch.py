"""PyTorch and transformers: scored where they are installed, named where they are missing."""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pytest
import yaml

from sparkml import load_scorer
from sparkml.errors import (
    ConfigError,
    ExtraMissing,
    ModelUnreadable,
    SignatureError,
    UntrustedModel,
)
from sparkml.models.read import read_spec
from sparkml.spec import Field, Signature
from sparkml.testing import check_scorer

FLOAT32 = 1e-5  # relative; a matrix product's float32 sums differ with the batch's size
INPUTS = Signature(inputs=(Field(name="x", type="list<float>", length=3),))
ROWS = np.random.default_rng(0).uniform(1, 2, size=(13, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def torch():
    """The library, its own global number of threads left as it was."""
    library = pytest.importorskip("torch", reason="torch brings gigabytes: it is not in the lock")
    threads = library.get_num_threads()
    yield library
    library.set_num_threads(threads)


def described(folder, **flavors):
    """An MLflow model's folder with its MLmodel file and nothing else."""
    folder.mkdir()
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors}))
    return folder


@pytest.fixture
def saved(tmp_path):
    """Kind → an address whose files are enough to see what the model is."""
    (tmp_path / "script.pt").write_bytes(b"not read")
    module = described(tmp_path / "module", pytorch={"model_data": "data"})
    (module / "data").mkdir()
    (module / "data" / "model.pth").write_bytes(b"not read")
    own = {"task": "text-classification", "model_binary": "model"}
    pipe = described(tmp_path / "pipe", transformers=own)
    (pipe / "model").mkdir()
    (pipe / "model" / "model.safetensors").write_bytes(b"not read")
    return {"script": tmp_path / "script.pt", "module": module, "pipe": pipe}


@pytest.mark.parametrize(
    ("kind", "library", "extra"),
    [
        ("script", "torch", "torch"),
        ("module", "torch", "torch"),
        ("pipe", "transformers", "transformers"),
    ],
)
def test_the_missing_library_is_named_with_its_extra(kind, library, extra, saved, monkeypatch):
    """On the driver, before anything is opened."""
    monkeypatch.setitem(sys.modules, library, None)  # as if it were not installed
    with pytest.raises(ExtraMissing, match=rf"pip install 'sparkml\[{extra}\]'"):
        read_spec(str(saved[kind]), environment="ignore")


@pytest.mark.parametrize(
    ("kind", "said"),
    [("script", r"script\.pt is TorchScript, a program"), ("module", r"model\.pth is a module")],
)
def test_a_module_is_a_program_and_needs_trust(kind, said, saved):
    """Refused before the library is looked for."""
    with pytest.raises(UntrustedModel, match=said):
        read_spec(str(saved[kind]), trust="never")


def test_weights_that_are_pickled_need_trust_and_safetensors_do_not(saved, monkeypatch):
    """The format of the weights decides."""
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ExtraMissing):
        read_spec(str(saved["pipe"]), trust="never")
    for name in ("model/pytorch_model.bin", "components/parts/tf.ckpt", "model/w-00001-of-2.pth"):
        (saved["pipe"] / name).parent.mkdir(parents=True, exist_ok=True)
        (saved["pipe"] / name).write_bytes(b"not read")
        with pytest.raises(UntrustedModel, match=f"{name} may be a pickle"):
            read_spec(str(saved["pipe"]), trust="never")
        (saved["pipe"] / name).unlink()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"dtype": "flot32"}, "'flot32' is no type of a tensor"),
        ({"dtype": "U3"}, "'U3' is no type of a tensor"),
        ({"shape": "3x2"}, "'3x2' is no shape"),
    ],
)
def test_a_shape_or_a_type_that_is_none_is_refused(torch, config, said, saved):
    """Before the file is opened."""
    with pytest.raises(ConfigError, match=said):
        read_spec(str(saved["module"]), model_config=config, signature=INPUTS)


def test_a_shape_must_be_as_wide_as_the_columns(torch, tmp_path):
    """With and without declared outputs; a size of -1 is torch's own affair."""
    folder = described(tmp_path / "m", pytorch={"model_data": "data"})
    (folder / "data").mkdir()
    torch.save(torch.nn.Flatten(), folder / "data" / "model.pth")
    outputs = (Field(name="y", type="list<float>"),)
    for signature in (INPUTS, Signature(inputs=INPUTS.inputs, outputs=outputs)):
        with pytest.raises(SignatureError, match=r"\[2, 2\] takes 4 values a row.*have 3"):
            read_spec(str(folder), signature=signature, model_config={"shape": [2, 2]})
        read_spec(str(folder), signature=signature, model_config={"shape": [-1, 1]})


@pytest.mark.parametrize("kind", ["script", "module", "pipe"])
def test_an_unknown_key_of_the_config_is_refused(kind, saved):
    """With the nearest that there is."""
    with pytest.raises(ConfigError, match=r"no model_config key 'devise'.*did you mean 'device'"):
        read_spec(str(saved[kind]), model_config={"devise": "cpu"})


def test_a_pipeline_without_its_weights_is_unreadable(tmp_path):
    """What MLflow would download at run time is no model that a digest could promise."""
    folder = described(tmp_path / "m", transformers={"task": "text-classification"})
    with pytest.raises(ModelUnreadable, match=r"its own weights.*save_pretrained=True"):
        read_spec(str(folder))


# The newest torch deprecates TorchScript; the files that people have are still opened.
@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_torchscript_scores_a_list_column(torch, tmp_path):
    """A traced layer gives what it gives to torch itself."""
    layer = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Sigmoid()).eval()
    torch.jit.trace(layer, torch.from_numpy(ROWS)).save(str(tmp_path / "m.pt"))
    spec = read_spec(str(tmp_path / "m.pt"), signature=INPUTS)

    assert spec.signature.outputs == (Field(name="prediction", type="list<float>"),)
    with torch.inference_mode():
        expected = layer(torch.from_numpy(ROWS)).numpy()
    batch = pa.RecordBatch.from_pydict({"x": pa.array(ROWS.tolist(), pa.list_(pa.float32()))})
    check_scorer(load_scorer(spec), batch, expected={"prediction": expected}, rtol=FLOAT32)


def test_mlflow_s_module_is_read_without_mlflow(torch, tmp_path):
    """A pickled module, in eval mode, its input in the shape of the config."""
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 1), torch.nn.Dropout(0.5))
    folder = described(tmp_path / "m", pytorch={"model_data": "data"})
    (folder / "data").mkdir()
    torch.save(module, folder / "data" / "model.pth")
    inputs = Signature(inputs=(Field(name="image", type="list<float>", length=4),))
    spec = read_spec(str(folder), signature=inputs, model_config={"shape": [1, 2, 2]})

    rows = np.random.default_rng(0).uniform(1, 2, size=(9, 4)).astype(np.float32)
    with torch.inference_mode():
        expected = module.eval()(torch.from_numpy(rows.reshape(-1, 1, 2, 2))).numpy()[:, 0]
    batch = pa.RecordBatch.from_pydict({"image": pa.array(rows.tolist(), pa.list_(pa.float32()))})
    check_scorer(load_scorer(spec), batch, expected={"prediction": expected}, rtol=1e-4)


def test_a_damaged_module_is_unreadable(torch, saved):
    """Whatever is in the file, the error is ours."""
    for kind in ("script", "module"):
        with pytest.raises(ModelUnreadable, match="cannot load the model"):
            read_spec(str(saved[kind]), signature=INPUTS)


def test_a_pipeline_labels_texts(torch, tmp_path):
    """A tiny BERT with made-up weights: the label and score of the pipeline itself."""
    transformers = pytest.importorskip("transformers", reason="it needs torch")
    own = {
        "task": "text-classification",
        "model_binary": "model",
        "pipeline_model_type": "BertForSequenceClassification",
        "components": ["tokenizer"],
    }
    folder = described(tmp_path / "m", transformers=own)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "day"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    tokenizer = transformers.BertTokenizer(str(tmp_path / "vocab.txt"))
    tokenizer.save_pretrained(folder / "components" / "tokenizer")
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=8, num_labels=3,
    )  # fmt: skip
    model = transformers.BertForSequenceClassification(config).eval()
    model.save_pretrained(folder / "model")
    spec = read_spec(str(folder), trust="never")

    texts = ["good day", "bad day", "good", "bad bad bad day", "day"]
    native = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer)(texts)
    scored = load_scorer(spec)(pa.RecordBatch.from_pydict({"text": texts}))
    assert [row["label"] for row in native] == scored["prediction"].to_pylist()
    np.testing.assert_allclose(
        scored["score"].to_numpy(), [row["score"] for row in native], rtol=FLOAT32
    )
