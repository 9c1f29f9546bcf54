"""What the test files share: the S3 server, the wine model and its table, the YARN."""

from __future__ import annotations

import warnings

import pytest

from tests.emr.yarn.cluster import Yarn
from tests.emr.yarn.packed import make_wine
from tests.emr.yarn.s3 import S3


@pytest.fixture(scope="module")
def guarded_s3():
    with S3() as server:
        yield server


@pytest.fixture(scope="module")
def wine_on_s3(guarded_s3, tmp_path_factory):
    """The demo's wine model as MLflow stores it, and its table on S3."""
    import mlflow

    from tools.demo_models import wine as train

    trained, folder = train(), tmp_path_factory.mktemp("models") / "wine"
    with warnings.catch_warnings():  # how MLflow saves a model is not what is tested
        warnings.simplefilter("ignore")
        mlflow.sklearn.save_model(
            trained.model,
            str(folder),
            serialization_format="cloudpickle",
            pip_requirements=["scikit-learn"],
            signature=mlflow.models.infer_signature(
                trained.features, trained.model.predict(trained.features)
            ),
        )
    return make_wine(guarded_s3, (trained, folder))


@pytest.fixture(scope="module")
def yarn(guarded_s3, tmp_path_factory):
    """A YARN whose containers' folders are longer than a Unix socket's address may be."""
    folder = tmp_path_factory.mktemp("yarn")
    local = folder / ("a-long-name-" * 9) / "local"
    with Yarn(folder, s3_endpoint=guarded_s3.url, local=local) as cluster:
        yield cluster
