"""JSON 1.1 as EMR speaks it: requests and responses, both checked with botocore's own model."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.model import OperationModel, ServiceModel, Shape

TARGET = "ElasticMapReduce."

_SURROGATE_PAIRS = r"\uD800\uDC00-\uDBFF\uDFFF"
_KINDS: Mapping[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list, tuple),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float, datetime),
}


class ApiError(Exception):
    """An error that the service answers with: its code, its message and the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


def validation_error(message: str) -> ApiError:
    """What RunJobFlow, AddJobFlowSteps and TerminateJobFlows refuse with."""
    return ApiError("ValidationException", message)


def invalid_request(message: str) -> ApiError:
    """What the operations that describe and list refuse with."""
    return ApiError("InvalidRequestException", message)


@cache
def service_model() -> ServiceModel:
    """EMR's model as the installed botocore ships it."""
    return botocore.session.get_session().get_service_model("emr")


def operation_model(name: str) -> OperationModel:
    """The operation's model; ApiError when EMR has no such operation."""
    model = service_model()
    if name not in model.operation_names:
        raise ApiError("UnknownOperationException", f"EMR has no operation '{name}'.")
    return model.operation_model(name)


def read_request(operation: str, body: bytes) -> dict[str, Any]:
    """The request's members, its times as datetimes; ApiError with every breach of the model."""
    try:
        sent = json.loads(body or b"{}")
    except ValueError:
        raise ApiError("SerializationException", "The body is not JSON.") from None
    problems: list[str] = []
    read = _walked(sent, operation_model(operation).input_shape, "request", problems)
    if problems:
        raise validation_error("; ".join(problems))
    return dict(read)


def write_response(operation: str, result: Mapping[str, Any]) -> bytes:
    """The response's body; ApiError (500) when it breaks the model, which is our own mistake."""
    shape = operation_model(operation).output_shape
    if shape is None:
        return b""
    problems: list[str] = []
    written = _walked(dict(result), shape, "response", problems)
    if problems:
        raise ApiError("InternalFailure", f"{operation} answers wrongly: {problems}", 500)
    return json.dumps(written, default=lambda time: time.timestamp()).encode()


def write_error(error: ApiError) -> bytes:
    """An error's body; EMR's own errors have a `Message` besides the protocol's `message`."""
    told = {"__type": error.code, "message": error.message, "Message": error.message}
    return json.dumps(told).encode()


def _walked(value: Any, shape: Any, where: str, problems: list[str]) -> Any:
    """The value with its times as datetimes; what breaks the shape is added to the problems."""
    if shape is None:
        return value
    kind = str(shape.type_name)
    if not _is_a(kind, value):
        problems.append(f"{where} is {type(value).__name__}, not {kind}")
        return value
    problems += [f"{where} {breach}" for breach in _breaches(value, shape)]
    if kind == "structure":
        return _structure(value, shape, where, problems)
    if kind == "list":
        return [_walked(v, shape.member, f"{where}[{i}]", problems) for i, v in enumerate(value)]
    if kind == "map":
        return {k: _walked(v, shape.value, f"{where}[{k}]", problems) for k, v in value.items()}
    if kind == "timestamp" and not isinstance(value, datetime):
        return datetime.fromtimestamp(value, UTC)
    return value


def _is_a(kind: str, value: Any) -> bool:
    wanted = _KINDS[kind]
    return isinstance(value, wanted) and (not isinstance(value, bool) or bool in wanted)


def _structure(
    value: dict[str, Any], shape: Any, where: str, problems: list[str]
) -> dict[str, Any]:
    missing = [name for name in shape.required_members if name not in value]
    unknown = [name for name in value if name not in shape.members]
    problems += [f"{where} lacks '{name}'" for name in missing]
    problems += [f"{where} has no member '{name}' in the model" for name in unknown]
    return {
        name: _walked(member, shape.members[name], f"{where}.{name}", problems)
        for name, member in value.items()
        if name in shape.members
    }


def _breaches(value: Any, shape: Shape) -> list[str]:
    """Which limits of its own the value breaks: choices, pattern, length or range."""
    limits, found = shape.metadata, []
    if "enum" in limits and value not in limits["enum"]:
        found.append(f"is '{value}', which is none of {', '.join(limits['enum'])}")
    if "pattern" in limits and isinstance(value, str) and not _pattern(shape).fullmatch(value):
        found.append(f"does not match {limits['pattern']}")
    if "min" in limits or "max" in limits:
        size = value if isinstance(value, int | float) else len(value)
        if not limits.get("min", size) <= size <= limits.get("max", size):
            allowed = f"{limits.get('min', '')}..{limits.get('max', '')}"
            found.append(f"has length or value {size}, outside {allowed}")
    return found


def _pattern(shape: Shape) -> re.Pattern[str]:
    """The shape's pattern; characters beyond 16 bits are written in Java's way there."""
    pattern = str(shape.metadata["pattern"])
    return re.compile(pattern.replace(_SURROGATE_PAIRS, r"\U00010000-\U0010FFFF"))
