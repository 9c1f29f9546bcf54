"""A request, or an answer, against botocore's own model of the service; no client and no network.

botocore's `ParamValidator` checks types, required and unknown members and minimums. The model says
more, which it skips: enumerations, patterns and maximums. They are checked here.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from emr.errors import RequestRefused
from sparkml.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.model import OperationModel, Shape


def check_request(service: str, operation: str, kwargs: Mapping[str, Any]) -> None:
    """Refuse keyword arguments that AWS's model of an operation does not allow.

    Args:
        service: `emr`, `emr-serverless` or `emr-containers`, as boto3 names it.
        operation: its name in the API: `RunJobFlow`, not `run_job_flow`.
        kwargs: what boto3's method would be called with.

    Raises:
        RequestRefused: anything does not fit; every mistake is told. Nothing is sent either way.
    """
    _check(operation, mistakes(_operation(service, operation).input_shape, kwargs))


def check_response(service: str, operation: str, response: Mapping[str, Any]) -> None:
    """Refuse an answer that AWS's model of an operation does not allow.

    Raises:
        RequestRefused: anything does not fit; every mistake is told.
    """
    _check(operation, mistakes(_operation(service, operation).output_shape, response))


def mistakes(shape: Shape | None, value: Mapping[str, Any]) -> list[str]:
    """All that does not fit a shape of the model, each as `where: what`."""
    from botocore.model import StructureShape
    from botocore.validate import ParamValidator

    if shape is None:
        shape = StructureShape("Nothing", {"type": "structure", "members": {}})
    report = ParamValidator().validate(value, shape)
    if report.has_errors():  # of the wrong type or shape: its constraints cannot be read
        return [line.strip() for line in str(report.generate_report()).splitlines()]
    return [f"{where}: {what}" for where, what in _broken(shape, value, "")]


def _check(operation: str, found: list[str]) -> None:
    if found:
        what = found[0] if len(found) == 1 else f"{len(found)} mistakes: {'; '.join(found)}"
        raise RequestRefused(what, where=operation, fix="AWS's model of the request says so")


def _broken(shape: Shape, value: Any, where: str) -> Iterator[tuple[str, str]]:
    """The constraints of the model that a value of the right type breaks."""
    kind = shape.type_name
    if kind == "structure":
        for name, item in value.items():
            yield from _broken(shape.members[name], item, f"{where}.{name}".lstrip("."))
        return
    if kind not in {"boolean", "timestamp"}:
        yield from _out_of_range(shape, value, where)
    if kind == "string":
        yield from _broken_text(shape, value, where)
    elif kind == "list":
        for position, item in enumerate(value):
            yield from _broken(shape.member, item, f"{where}[{position}]")
    elif kind == "map":
        for key, item in value.items():
            yield from _broken(shape.key, key, f"the key '{key}' of {where}")
            yield from _broken(shape.value, item, f"{where}.{key}")


def _out_of_range(shape: Any, value: Any, where: str) -> Iterator[tuple[str, str]]:
    sized = shape.type_name in {"string", "list", "map", "blob"}
    size, said = (len(value), "has length") if sized else (value, "is")
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        yield where, f"{said} {size}, at least {low} is needed"
    if high is not None and size > high:
        yield where, f"{said} {size}, at most {high} is allowed"


def _broken_text(shape: Any, value: str, where: str) -> Iterator[tuple[str, str]]:
    if shape.enum and value not in shape.enum:
        yield where, f"'{value}' is none of its values; {did_you_mean(value, shape.enum)}"
    pattern = shape.metadata.get("pattern")
    if pattern and not _compiled(pattern).search(value):
        yield where, f"does not match the pattern {pattern}"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    r"""A pattern of the model as Python's: theirs writes characters above U+FFFF as pairs.

    The model's patterns match the whole text.
    """
    pairs = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")
    return re.compile(rf"\A(?:{pairs})\Z")


def _operation(service: str, operation: str) -> OperationModel:
    model = _model(service)
    if operation not in model.operation_names:
        near = did_you_mean(operation, model.operation_names)
        raise RequestRefused(f"{service} has no operation '{operation}'", fix=near)
    return model.operation_model(operation)


@cache
def _model(service: str) -> Any:
    """The service's model, from the JSON that botocore ships: some 20 ms, once a process."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    loader = Loader(include_default_search_paths=True)
    known = loader.list_available_services("service-2")
    if service not in known:
        raise RequestRefused(f"there is no service '{service}'", fix=did_you_mean(service, known))
    return ServiceModel(loader.load_service_model(service, "service-2"), service)
