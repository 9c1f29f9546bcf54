"""Which models may be opened: the policies, and what each refuses."""

from __future__ import annotations

from sparkml.errors import ConfigError, UntrustedModel, did_you_mean

POLICIES = {
    "always": "open any format",
    "promised": "open a format that runs code only if the model's digest was promised and matched",
    "never": "open no format that runs code",
}
SAFE_FORMATS = "skops (mlflow.sklearn.log_model(…, serialization_format='skops'), or a .skops file)"


def check_trust(policy: str, reason: str, *, promised: bool, digest: str, where: str) -> None:
    """Refuse a model by `policy`; `reason` says why opening it runs code (empty: it does not).

    `promised`: its `digest` is the one that the caller or the registry's tag says.

    Runs on the driver, before any loader.

    Raises:
        UntrustedModel: the policy refuses it.
        ConfigError: no such policy.
    """
    if policy not in POLICIES:
        raise ConfigError(
            f"unknown policy '{policy}'", where="trust", fix=did_you_mean(policy, POLICIES)
        )
    if not reason or policy == "always" or (policy == "promised" and promised):
        return
    if policy == "promised":
        what = f"{reason}, and nobody promised its digest (trust: promised)"
        fix = (
            f"if you know that the files are right, write digest: {digest} into the configuration, "
            f"or promise the registered version; or store the model as {SAFE_FORMATS}"
        )
    else:
        what = f"{reason} (trust: never)"
        fix = f"store the model in a format that runs no code: {SAFE_FORMATS}"
    raise UntrustedModel(what, where=where, fix=fix)
