"""`refuse_secrets`: no key, token or password travels in a request.

A step's arguments, a cluster's configurations and its bootstrap arguments stand in DescribeStep,
DescribeCluster and the controller's log, for whoever may read those. Secrets belong in Secrets
Manager or SSM; their ARN may travel. What looks like one, `sparkml.redaction` knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emr.errors import SecretInRequest
from sparkml.redaction import secrets_in

if TYPE_CHECKING:
    from collections.abc import Mapping


def refuse_secrets(request: Mapping[str, Any], *, where: str = "") -> None:
    """Refuse a request that carries what looks like a key, a token or a password.

    Raises:
        SecretInRequest: it does. The places are told, what stands there never.
    """
    found = list(dict.fromkeys(secrets_in(request)))
    if found:
        places = "; ".join(f"{what} in {place}" for place, what in found)
        fix = "keep it in Secrets Manager or SSM, and pass its ARN; roles replace AWS keys"
        raise SecretInRequest(f"the request holds {places}", where=where, fix=fix)
