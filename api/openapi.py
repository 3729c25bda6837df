"""The API's description (OpenAPI 3.1), made from the routes themselves.

The framework could make one too, but its schemas of pydantic models lose what the models say: constraints of optional
fields, refused extra fields, descriptions. Here pydantic itself describes the models, and the routes the rest.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from types import NoneType
from typing import Any, cast, get_args

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, QueryParameter
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api.answers import example_id
from api.examples import example_of
from api.gate import is_open
from api.problems import MEDIA_TYPE, Problem
from statemachines.machine import Machine
from statemachines.registry import Registry

Json = dict[str, Any]
Model = type[BaseModel]

REFERENCE = "#/components/schemas/{model}"
JSON_TYPE = "application/json"

DESCRIPTION = """
Orders, products and stock as explicit state machines. Every event of every machine has a route of its own, made from
the machine's declaration; `GET /machines` shows the machines themselves.

Send your key as `Authorization: Bearer ord_live_…`. Errors are problem details (RFC 9457). A POST that raises an event
may carry an `Idempotency-Key`; an answer carries the entity's version as its `ETag`, which `If-Match` can ask for.
"""


def describe(application: Litestar, registry: Registry) -> Json:
    """Return the description of every route that has an operation id."""
    routes = list(_operations(application))
    schemas = _Schemas(routes, registry)
    paths: dict[str, Json] = {}
    for path, handler in routes:
        method = min(handler.http_methods).lower()
        paths.setdefault(path, {})[method] = _operation(path, handler, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Orderly", "version": "0.1.0", "description": DESCRIPTION.strip()},
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [
            *({"name": machine.plural, "description": _doc(machine.entity)} for machine in registry),
            {"name": "machines", "description": "The machines as they are declared."},
            {"name": "keys", "description": "Who may come in."},
            {"name": "webhooks", "description": "What others tell by signed messages."},
            {"name": "inbox", "description": "What came in by webhook or from other programs, and what became of it."},
            {"name": "effects", "description": "What is asked of the outside world, and how it stands."},
            {"name": "timers", "description": "What will happen by itself, and when."},
            {"name": "events", "description": "Everything that happens, in one order."},
            {"name": "destinations", "description": "The gateways that effects call, as one process sees them."},
            {"name": "service", "description": "How the service itself is."},
        ],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "`ord_live_…`"}},
            "schemas": schemas.definitions,
        },
    }


def _operations(application: Litestar) -> Iterator[tuple[str, HTTPRouteHandler]]:
    for route in application.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if handler.operation_id is not None:
                    yield route.path_format, handler


def _doc(documented: type) -> str:
    return inspect.getdoc(documented) or ""


# -- the models, as pydantic describes them ------------------------------------------------------------------------


class _Schemas:
    """The schemas of all models that routes take and give."""

    def __init__(self, routes: Iterable[tuple[str, HTTPRouteHandler]], registry: Registry) -> None:
        taken = {model: _name_of_body(handler) for _, handler in routes if (model := _body_of(handler))}
        given = {model for _, handler in routes for model in _models_in(_answer_of(handler))}
        wanted: list[tuple[Model, JsonSchemaMode]] = [(model, "validation") for model in taken]
        wanted += [(model, "serialization") for model in sorted(given | {Problem}, key=lambda model: model.__name__)]
        references, found = models_json_schema(wanted, ref_template=REFERENCE)
        self._references = {model: references[model, mode] for model, mode in wanted}
        names = {_last(self._references[model]): taken[model] for model in taken}
        self._references = {model: _renamed(self._references[model], names) for model in self._references}
        self.definitions: dict[str, Json] = {
            names.get(name, name): _renamed(schema, names) for name, schema in sorted(found["$defs"].items())
        }
        for model in given:
            for machine in registry:
                if issubclass(model, machine.entity):
                    _specify(self.definitions[_last(self._references[model])], machine)
        for row in (load.row.__name__ for machine in registry for load in machine.loads.values()):
            if row in self.definitions:
                self.definitions[row]["required"] = list(self.definitions[row]["properties"])
        self.example_ids = {f"/{machine.plural}": example_id(machine) for machine in registry}
        for model in self._references:
            self._give_example(model)

    def of(self, annotation: Any) -> Json:
        """Return the schema of what a route takes or gives."""
        if isinstance(annotation, type) and annotation in self._references:
            return dict(self._references[annotation])
        arguments = get_args(annotation)
        if len(arguments) == 1 and arguments[0] in self._references:
            return {"type": "array", "items": dict(self._references[arguments[0]])}
        return TypeAdapter(annotation).json_schema()

    def example_of(self, schema: Json) -> Any:
        """Return an example of what a schema describes."""
        return example_of(schema, self.definitions)

    def _give_example(self, model: Model) -> None:
        schema = self.definitions[_last(self._references[model])]
        schema.setdefault("examples", [self.example_of(schema)])


def _last(reference: Json) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _renamed(schema: Any, names: Mapping[str, str]) -> Any:
    """Return a schema whose references lead to components of other names, and whose bounds have their proper names."""
    if isinstance(schema, list):
        return [_renamed(part, names) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {**schema, "$ref": f"#/components/schemas/{names.get(_last(schema), _last(schema))}"}
    # Of a number that a validator looks at first, pydantic names the bounds as Python does.
    return {
        _BOUNDS.get(key, key) if isinstance(part, int) else key: _renamed(part, names) for key, part in schema.items()
    }


_BOUNDS = {"ge": "minimum", "le": "maximum"}


def _specify(schema: Json, machine: Machine) -> None:
    """Say of an entity's schema what only its machine knows."""
    properties = schema["properties"]
    schema["required"] = list(properties)
    properties["id"]["examples"] = [example_id(machine)]
    properties["state"] = {"type": "string", "title": "State", "enum": list(machine.states)}
    for name in ("created_at", "state_since"):
        properties[name] = {"type": "string", "format": "date-time", "title": properties[name]["title"]}


def _body_of(handler: HTTPRouteHandler) -> Model | None:
    field = handler.parsed_data_field
    if field is None:
        return None
    models = [part for part in (*field.args, field.annotation) if isinstance(part, type) and part is not NoneType]
    model: Model = models[0]
    return model


def _name_of_body(handler: HTTPRouteHandler) -> str:
    model = _body_of(handler)
    assert model is not None
    return str(handler.opt.get("body_name", model.__name__))


def _answer_of(handler: HTTPRouteHandler) -> Any:
    """Return the type of a route's success."""
    returned = handler.parsed_fn_signature.return_type
    return returned.inner_types[0].annotation if returned.inner_types and not _is_plain(returned) else returned.raw


def _is_plain(field: FieldDefinition) -> bool:
    return field.origin in (list, dict)


def _models_in(annotation: Any) -> Iterator[Model]:
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield part


# -- one route -----------------------------------------------------------------------------------------------------


def _operation(path: str, handler: HTTPRouteHandler, schemas: _Schemas) -> Json:
    place = path.replace("{entity_id}", schemas.example_ids.get(f"/{path.split('/')[1]}", "{entity_id}"))
    operation: Json = {
        "operationId": handler.operation_id,
        "tags": handler.resolve_tags(),
        "summary": handler.summary,
        "description": handler.description or handler.summary,
        "parameters": [*_parameters(path, handler)],
        "responses": {
            str(handler.status_code): _success(handler, schemas),
            **{str(status): _problem(place, status, answer) for status, answer in (handler.responses or {}).items()},
        },
    }
    if handler.opt.get("not_modified"):
        operation["responses"]["304"] = {"description": "It is still at the version of `If-None-Match`."}
    if is_open(path):
        operation["security"] = []
    else:
        operation["x-roles"] = [str(role) for role in handler.opt["roles"]]
    body = _body_of(handler)
    if body is not None:
        reference = schemas.of(body)
        operation["requestBody"] = {
            "required": any(field.is_required() for field in body.model_fields.values()),
            "content": {JSON_TYPE: {"schema": reference, "example": schemas.example_of(reference)}},
        }
    elif takes := handler.opt.get("takes"):  # what is read only once its signature holds
        operation["requestBody"] = {
            "required": True,
            "content": {JSON_TYPE: {"schema": takes, "example": takes["examples"][0]}},
        }
    return operation


def _parameters(path: str, handler: HTTPRouteHandler) -> Iterator[Json]:
    for name, field in handler.parsed_fn_signature.parameters.items():
        if f"{{{name}}}" in path:
            yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        elif isinstance(field.kwarg_definition, QueryParameter | HeaderParameter) and name not in handler.opt.get(
            "unused", ()
        ):
            yield _parameter(name, field, field.kwarg_definition)


def _parameter(name: str, field: FieldDefinition, said: QueryParameter | HeaderParameter) -> Json:
    kinds = [part for part in field.args if part is not NoneType] or [field.annotation]
    schema = TypeAdapter(kinds[0] if field.is_optional else field.annotation).json_schema()
    limits = {"minimum": said.ge, "maximum": said.le, "minLength": said.min_length, "maxLength": said.max_length}
    schema |= {keyword: limit for keyword, limit in limits.items() if limit is not None}
    schema |= said.schema_extra or {}
    if field.default is not None and field.has_default:
        schema["default"] = field.default
    parameter = {
        "name": said.name or name,
        "in": said.param_type.value,
        "description": said.description,
        "required": False,
        "schema": schema,
    }
    if said.examples:
        parameter["example"] = said.examples[0].value
    return parameter


def _success(handler: HTTPRouteHandler, schemas: _Schemas) -> Json:
    answer: Json = {"description": handler.response_description or handler.summary}
    headers = {
        header.name: {"description": header.description, "schema": {"type": "string"}, "example": header.value}
        for header in sorted(handler.resolve_response_headers(), key=lambda header: header.name)
    }
    if headers:
        answer["headers"] = headers
    given = _answer_of(handler)
    if given is not None and given is not NoneType:
        schema = schemas.of(given)
        media_type = str(getattr(handler.media_type, "value", handler.media_type) or JSON_TYPE)
        content: Json = {"schema": schema}
        if media_type == JSON_TYPE:
            example = schemas.example_of(schema)
            content["example"] = {**example, **handler.opt.get("example", {})} if isinstance(example, dict) else example
        answer["content"] = {media_type: content}
        for other in handler.opt.get("other_media_types", ()):
            answer["content"][other] = {"schema": {"type": "string"}}
    return answer


def _problem(place: str, status: int, answer: ResponseSpec) -> Json:
    content: Json = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if answer.examples:
        content["example"] = {**cast(Json, answer.examples[0].value), "instance": place}
    described: Json = {"description": answer.description, "content": {MEDIA_TYPE: content}}
    if status in (429, 503):
        described["headers"] = {
            "Retry-After": {"description": "seconds to wait", "schema": {"type": "string"}, "example": "1"}
        }
    return described
