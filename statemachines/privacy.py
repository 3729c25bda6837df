"""What of an event's payload may leave the house, in the public account of what happened.

A value whose type is marked `PRIVATE` stays within: tokens, addresses of people. So does a model with ``is_private =
True``, and everything that no declaration describes.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel


class Private:
    """Marks a type: ``PaymentToken = Annotated[str, …, PRIVATE]``."""

    def __repr__(self) -> str:
        return "PRIVATE"


PRIVATE = Private()


def disclosed(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a payload, as it is kept, what may leave."""
    public = _public_fields(model)
    return {name: _disclosed(public[name], value) for name, value in values.items() if name in public}


@cache
def _public_fields(model: type[BaseModel]) -> dict[str, type[BaseModel] | None]:
    """Return a model's fields that are not private, each with the model of its value or values, if they have one."""
    fields = {}
    for name, field in model.model_fields.items():
        parts = [*field.metadata, *_parts(field.annotation)]
        if not any(part is PRIVATE or getattr(part, "is_private", False) is True for part in parts):
            models = [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
            fields[name] = models[0] if models else None
    return fields


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield what a type is made of: the members of unions, the items of collections, what it is annotated with."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        yield from metadata
        yield from _parts(inner)
    elif origin in (Union, UnionType, tuple, list, dict, set, frozenset):
        for part in get_args(annotation):
            yield from _parts(part)
    elif annotation is not NoneType:
        yield annotation


def _disclosed(model: type[BaseModel] | None, value: Any) -> Any:
    match value:
        case Mapping() if model is not None:
            return disclosed(model, value)
        case list() | tuple():
            return [_disclosed(model, each) for each in value]
        case _:
            return value
