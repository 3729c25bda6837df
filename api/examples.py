"""Examples for the API's description, made from the schemas themselves."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

MOMENT = "2026-01-05T12:00:00Z"

WORDS: dict[str, Any] = {
    "actor": "merchant:shop",
    "approval_id": "apr_01jd4k0v3xe9h8m2q5t7w9y1z3",
    "attempts": 1,
    "cause": "req_01jd4k0v3xe9h8m2q5t7w9y1z3",
    "choice": "approve",
    "created_by": "admin:root",
    "currency": "EUR",
    "customer": "ann",
    "detail": "not in stock: MUG-BLUE: 3 asked, 2 available",
    "event": "pay",
    "event_id": "evt_01jd4k0v3xe9h8m2q5t7w9y1z3",
    "fingerprint": "9f86d081884c7d659a2feaa0c55ad0159f86d081884c7d659a2feaa0c55ad015",
    "holder": "eve",
    "kind": "expense",
    "level": 1,
    "name": "Blue mug",
    "number": 1,
    "on_hand": 10,
    "order_id": "ord_01jd4k0v3xe9h8m2q5t7w9y1z3",
    "person": "eve",
    "price": 1250,
    "principal": "ann",
    "quantity": 2,
    "reason": "as the customer asked",
    "reference": "shop-10042",
    "requested_by": "ann",
    "reservation_id": "rsv_01jd4k0v3xe9h8m2q5t7w9y1z3",
    "reserved": 2,
    "round": 1,
    "seat": "eve",
    "sku": "MUG-BLUE",
    "source": "pending",
    "status": "done",
    "stock_id": "MUG-BLUE@berlin",
    "stock_held": "nothing",
    "target": "paying",
    "total": 2500,
    "tracking": "JD014600006281230704",
    "unit_price": 1250,
    "version": 3,
}
"""What columns of these names hold in examples; other columns get what their type says."""


def example_of(schema: Schema, definitions: Mapping[str, Schema], name: str = "") -> Any:
    """Return a value that the schema describes.

    Args:
        schema: a JSON schema as pydantic makes them.
        definitions: the schemas that references lead to, by their last part.
        name: the field's.
    """
    if "$ref" in schema:
        return example_of(definitions[schema["$ref"].rpartition("/")[2]], definitions, name)
    if "examples" in schema:
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _example_of_optional(schema, definitions, name)
    if name in WORDS:
        return WORDS[name]
    match schema.get("type"):
        case "object":
            return _example_of_object(schema, definitions)
        case "array":
            return [example_of(schema["items"], definitions)]
        case "string":
            return MOMENT if schema.get("format") == "date-time" else schema.get("default", name)
        case "integer":
            return schema.get("default", schema.get("minimum", 0))
        case "boolean":
            return schema.get("default", True)
        case _:
            return schema.get("default")


def _example_of_object(schema: Schema, definitions: Mapping[str, Schema]) -> Any:
    required = schema.get("required", ())
    return {
        name: example_of(part, definitions, name)
        for name, part in schema.get("properties", {}).items()
        if name in required or part.get("type") == "array" or "examples" in str(part)
    }


def _example_of_optional(schema: Schema, definitions: Mapping[str, Schema], name: str) -> Any:
    first = schema["anyOf"][0]
    if "examples" in first or name in WORDS:
        return example_of(first, definitions, name)
    return None
