"""The keys of `model_config`: each flavor has a table of its own, and nothing else is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkml.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping


def check_keys(given: Mapping[str, Any], known: Mapping[str, str], *, what: str) -> None:
    """Refuse keys that are not in `known`; `what` names the kind of model.

    Raises:
        ConfigError: there is one.
    """
    for key in given:
        if key not in known:
            raise ConfigError(
                f"{what} takes no model_config key '{key}'",
                where=f"model_config.{key}",
                fix=did_you_mean(key, known),
            )
