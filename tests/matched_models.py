"""A model whose scores change with its library's version: how many labels a public suffix has.

The library is a small one of pure Python that holds a list; `appwrite.network` joined it in 2024.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import mlflow
import pandas as pd

from tests.quiet import quiet

if TYPE_CHECKING:
    from pathlib import Path

OLD = "publicsuffixlist==0.10.0.20231214"
HOSTS = ["shop.appwrite.network", "www.example.com"]
THEN, NOW = [1.0, 1.0], [2.0, 1.0]
"""The scores of `HOSTS` by the old list, and by the one that is installed."""


def suffix_model(folder: Path, *requirements: str, needs: str = "publicsuffixlist") -> str:
    """The model, logged with these requirements; the module that it needs is imported at once."""
    with quiet():

        class Labels(mlflow.pyfunc.PythonModel):
            def load_context(self, context):
                importlib.import_module(needs)

            def predict(self, context, model_input, params=None):
                from publicsuffixlist import PublicSuffixList

                known = PublicSuffixList()
                return [known.publicsuffix(host).count(".") + 1.0 for host in model_input["host"]]

        mlflow.pyfunc.save_model(
            folder,
            python_model=Labels(),
            pip_requirements=list(requirements),
            signature=mlflow.models.infer_signature(pd.DataFrame({"host": HOSTS}), [1.0]),
        )
    return str(folder)
