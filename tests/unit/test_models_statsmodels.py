"""The statsmodels flavor: results of arrays, tables and formulas, against `results.predict`."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
import yaml
from statsmodels.gam.api import BSplines, GLMGam
from statsmodels.miscmodels.ordinal_model import OrderedModel

from sparkml import load_scorer
from sparkml.errors import (
    ConfigError,
    ContractViolation,
    ExtraMissing,
    ModelUnreadable,
    SignatureError,
    UntrustedModel,
)
from sparkml.models.digest import digest_of
from sparkml.models.read import read_spec
from sparkml.spec import Field, Signature
from sparkml.testing import THROUGH_BLAS, check_scorer
from tests.missing_library import without

# statsmodels asks pandas for what pandas is about to change, and some small fits do not converge.
pytestmark = pytest.mark.filterwarnings("ignore::Warning:statsmodels")

RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "age": RNG.normal(40, 10, 80),
        "income": RNG.normal(3, 1, 80),
        "job": RNG.choice(["clerk", "nurse", "smith"], 80),
        "children": RNG.integers(0, 4, 80),
        "own home": RNG.choice([True, False], 80),
    }
)
TABLE["spent"] = (
    TABLE["age"] / 20 + TABLE["income"] + (TABLE["job"] == "smith") + RNG.normal(size=80)
)
TABLE["bought"] = (TABLE["spent"] > TABLE["spent"].median()).astype(int)
PLAIN = TABLE[["age", "income"]]
WITH_CONST = sm.add_constant(PLAIN)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def save(tmp_path):
    def save(results, **options):
        path = tmp_path / "m.pickle"
        results.save(str(path), **options)
        return str(path)

    return save


def fitted(name, endog, exog, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = getattr(sm, name)(endog, exog, **options)
        return model.fit(disp=0) if "disp" in model.fit.__code__.co_varnames else model.fit()


def batch_of(frame):
    return pa.RecordBatch.from_pandas(frame, preserve_index=False)


MODELS = {
    "ols": lambda: fitted("OLS", TABLE["spent"], WITH_CONST),
    "wls": lambda: fitted("WLS", TABLE["spent"], WITH_CONST, weights=TABLE["age"]),
    "robust": lambda: fitted("RLM", TABLE["spent"], WITH_CONST),
    "quantile": lambda: fitted("QuantReg", TABLE["spent"], WITH_CONST),
    "glm": lambda: fitted("GLM", TABLE["bought"], WITH_CONST, family=sm.families.Binomial()),
    "logit": lambda: fitted("Logit", TABLE["bought"], WITH_CONST),
    "probit": lambda: fitted("Probit", TABLE["bought"], WITH_CONST),
    "poisson": lambda: fitted("Poisson", TABLE["children"], WITH_CONST),
    "const last": lambda: fitted("OLS", TABLE["spent"], sm.add_constant(PLAIN, prepend=False)),
}


@pytest.mark.parametrize("name", MODELS)
def test_results_of_a_table_take_its_columns_and_add_the_constant(name, save):
    """The numbers are those of `results.predict` with the constant in its place."""
    results = MODELS[name]()
    spec = read_spec(save(results))

    assert spec.flavor == "statsmodels"
    assert spec.signature.inputs == tuple(Field(name=c, type="double") for c in PLAIN)
    assert spec.signature.outputs == (Field(name="prediction", type="double"),)
    exog = sm.add_constant(PLAIN)[results.model.exog_names]
    expected = results.predict(exog)
    check_scorer(
        load_scorer(spec), batch_of(PLAIN), expected={"prediction": expected}, rtol=THROUGH_BLAS
    )


def test_results_stripped_of_their_data_predict_the_same(save):
    """`remove_data=True` forgets the names as well: the columns count by position."""
    results = MODELS["ols"]()
    expected = results.predict(WITH_CONST).to_numpy()
    path = save(results, remove_data=True)
    assert ("x1", "x2") == read_spec(path).signature.names
    named = Signature(inputs=tuple(Field(name=c, type="double") for c in PLAIN))
    scored = load_scorer(read_spec(path, signature=named))(batch_of(PLAIN))
    np.testing.assert_allclose(scored["prediction"].to_numpy(), expected, rtol=THROUGH_BLAS)


def test_a_constant_that_the_signature_names_is_taken_from_the_table(save):
    """Who declares it, brings it."""
    results = MODELS["ols"]()
    inputs = tuple(Field(name=c, type="double") for c in ("age", "const", "income"))
    spec = read_spec(save(results), signature=Signature(inputs=inputs))
    other = WITH_CONST.assign(const=2.0)
    scored = load_scorer(spec)(batch_of(other))
    np.testing.assert_allclose(
        scored["prediction"].to_numpy(), results.predict(other), rtol=THROUGH_BLAS
    )


def test_results_of_an_array_take_columns_by_position_or_one_list(save):
    """statsmodels names the columns of an array x1, x2, …"""
    results = fitted("OLS", TABLE["spent"].to_numpy(), sm.add_constant(PLAIN.to_numpy()))
    expected = results.predict(sm.add_constant(PLAIN.to_numpy()))
    path = save(results)
    assert ("x1", "x2") == read_spec(path).signature.names
    named = Signature(inputs=tuple(Field(name=c, type="double") for c in PLAIN))
    vector = Signature(inputs=(Field(name="features", type="list<double>", length=2),))
    rows = pa.RecordBatch.from_pydict({"features": PLAIN.to_numpy().tolist()})
    for signature, batch in ((named, batch_of(PLAIN)), (vector, rows)):
        scored = load_scorer(read_spec(path, signature=signature))(batch)
        np.testing.assert_allclose(scored["prediction"].to_numpy(), expected, rtol=THROUGH_BLAS)


def test_a_formula_takes_the_variables_that_it_reads(save):
    """Texts, booleans, whole numbers as levels, functions and interactions; the rest of the
    training table is not asked for."""
    formula = "spent ~ np.log(age ** 2) + C(children) + job * income + Q('own home')"
    results = smf.ols(formula, TABLE).fit()
    spec = read_spec(save(results))

    types = {"age": "double", "income": "double", "job": "string"}
    types |= {"children": "double", "own home": "bool"}
    assert types == {f.name: f.type for f in spec.signature.inputs}
    check_scorer(
        load_scorer(spec),
        batch_of(TABLE[list(types)]),
        expected={"prediction": results.predict(TABLE)},
        rtol=THROUGH_BLAS,
    )


def test_a_formula_s_rows_with_nulls_and_unseen_levels_are_set_aside(save):
    """Nothing is left out of the table, and nothing is scored as another level."""
    results = smf.logit("bought ~ age + job", TABLE).fit(disp=0)
    rows = TABLE[["age", "job"]].head(4).copy()
    rows.loc[1, "job"] = "pilot"
    rows.loc[2, "age"] = np.nan
    scored = load_scorer(read_spec(save(results), nulls="model"))(batch_of(rows))
    codes = [e and e["code"] for e in scored["error"].to_pylist()]
    assert [None, "MODEL_EXCEPTION", "NON_FINITE_SCORE", None] == codes
    assert "pilot" in scored["error"][1]["message"].as_py()


def test_several_classes_are_a_list_of_probabilities(save):
    """Multinomial and ordered models give one value a class, in their own order."""
    ordered = OrderedModel(TABLE["children"], PLAIN).fit(disp=0)
    multinomial = fitted("MNLogit", TABLE["children"], WITH_CONST)
    for results, exog in ((ordered, PLAIN), (multinomial, WITH_CONST)):
        spec = read_spec(save(results))
        assert ("age", "income") == spec.signature.names
        assert spec.signature.outputs == (Field(name="prediction", type="list<double>"),)
        expected = np.asarray(results.predict(exog))
        scored = load_scorer(spec)(batch_of(PLAIN))
        np.testing.assert_allclose(scored["prediction"].to_pylist(), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", ["GLM", "Poisson"])
def test_an_exposure_is_a_column_of_its_own(kind, save):
    """Left out, statsmodels would predict for an exposure of 1, without a word."""
    exposure = RNG.uniform(1, 3, 80)
    family = {"family": sm.families.Poisson()} if kind == "GLM" else {}
    results = fitted(kind, TABLE["children"], WITH_CONST, exposure=exposure, **family)
    spec = read_spec(save(results))

    assert ("age", "income", "exposure") == spec.signature.names
    rows = PLAIN.assign(exposure=exposure)
    check_scorer(
        load_scorer(spec),
        batch_of(rows),
        expected={"prediction": results.predict(WITH_CONST, exposure=exposure)},
        rtol=THROUGH_BLAS,
    )
    short = Signature(inputs=tuple(Field(name=c, type="double") for c in PLAIN))
    with pytest.raises(SignatureError, match="fitted with an exposure"):
        read_spec(spec.uri, signature=short)


def test_the_prediction_s_own_table_is_there_for_those_who_name_it(save):
    """Standard error and interval, as `get_prediction` gives them."""
    results = MODELS["ols"]()
    names = ["prediction", "mean_se", "obs_ci_upper"]
    spec = read_spec(save(results), outputs=names)
    expected = results.get_prediction(WITH_CONST).summary_frame()
    columns = {"prediction": expected["mean"], **{n: expected[n] for n in names[1:]}}
    check_scorer(load_scorer(spec), batch_of(PLAIN), expected=columns, rtol=1e-10)
    with pytest.raises(SignatureError, match=r"no output 'mean_s'.*did you mean 'mean_se'"):
        read_spec(spec.uri, outputs=["mean_s"])


def test_what_does_not_score_rows_is_refused_for_its_reason(save, tmp_path):
    """Series, models of two parts, other people's pickles, damaged files."""
    series = sm.tsa.AutoReg(TABLE["spent"].to_numpy(), 1).fit()
    with pytest.raises(ModelUnreadable, match="AutoReg forecasts a series"):
        read_spec(save(series))
    inflated = fitted("ZeroInflatedPoisson", TABLE["children"], WITH_CONST, exog_infl=WITH_CONST)
    with pytest.raises(ModelUnreadable, match="a second set of columns"):
        read_spec(save(inflated))
    path = tmp_path / "other.pickle"
    for content, said in ((pickle.dumps({"a": 1}), "a dict, not results"), (b"x", "unpickled")):
        path.write_bytes(content)
        with pytest.raises(ModelUnreadable, match=said):
            read_spec(str(path))


def test_the_missing_library_is_named_with_its_extra(save, monkeypatch, tmp_path):
    """On the driver, when the spec is read."""
    path = save(MODELS["ols"]())
    with (
        without("statsmodels", tmp_path, monkeypatch),
        pytest.raises(ExtraMissing, match=r"pip install 'sparkml\[statsmodels\]'"),
    ):
        read_spec(path)


def test_policies_and_options(save):
    """A pickle is a pickle; there is nothing to configure."""
    path = save(MODELS["ols"]())
    with pytest.raises(UntrustedModel, match=r"m\.pickle is a pickle"):
        read_spec(path, trust="never")
    with pytest.raises(ConfigError, match="no model_config"):
        read_spec(path, model_config={"a": 1})
    with pytest.raises(ConfigError, match="no params"):
        read_spec(path, params={"a": 1})


def test_mlflow_s_model_is_read_without_mlflow(tmp_path):
    """Its columns come from its signature, its version is compared."""
    results = MODELS["ols"]()
    folder = tmp_path / "logged"
    folder.mkdir()
    results.save(str(folder / "model.statsmodels"))
    inputs = '[{"type": "double", "name": "income"}, {"type": "long", "name": "age"}]'
    flavors = {"statsmodels": {"data": "model.statsmodels", "statsmodels_version": "0.1.0"}}
    text = yaml.safe_dump({"flavors": flavors, "signature": {"inputs": inputs}})
    (folder / "MLmodel").write_text(text)

    with pytest.warns(UserWarning, match=r"trained with statsmodels 0\.1\.0"):
        spec = read_spec(str(folder))

    assert ("income", "age") == spec.signature.names
    rows = PLAIN.assign(age=PLAIN["age"].round().astype("int64"))
    scored = load_scorer(spec)(batch_of(rows))
    expected = results.predict(sm.add_constant(rows))
    np.testing.assert_allclose(scored["prediction"].to_numpy(), expected, rtol=THROUGH_BLAS)


@pytest.mark.parametrize("formula", ["spent ~ I(age - age.mean())", "spent ~ I(age / max(age))"])
def test_a_formula_of_the_rows_together_is_refused(formula, save):
    """It gives a row other numbers when others are beside it."""
    with pytest.raises(ContractViolation, match="results would depend on the batch"):
        read_spec(save(smf.ols(formula, TABLE).fit()))


def test_a_worker_does_not_ask_the_formula_again(save, tmp_path):
    """Its bytes are those that `read_spec` asked."""
    spec = read_spec(save(smf.ols("spent ~ age", TABLE).fit()))
    folder = tmp_path / "shipped"
    folder.mkdir()
    smf.ols("spent ~ I(age - age.mean())", TABLE).fit().save(folder / "results.pickle")

    assert load_scorer(replace(spec, digest=digest_of(folder)), folder)


@pytest.mark.parametrize("formula", ["center(age)", "bs(age, df=4)", "np.log(age)", "C(job) * age"])
def test_a_formula_that_remembers_its_training_rows_is_not(formula, save):
    """Stateful transforms use the numbers of the fit."""
    assert read_spec(save(smf.ols(f"spent ~ {formula}", TABLE).fit())).flavor == "statsmodels"


def test_smoothers_are_refused(save):
    """A GLMGam takes their values beside the columns, which no table has."""
    smoother = BSplines(TABLE[["age"]], df=[5], degree=[3])
    with pytest.raises(ModelUnreadable, match="GLMGam takes a second set of columns"):
        read_spec(save(GLMGam(TABLE["spent"], smoother=smoother).fit()))
