"""How a request raises an event: under its idempotency key, from the version it expects, with problems for refusals."""

import hashlib
import re
from typing import Annotated

import msgspec
from litestar.datastructures import ResponseHeader
from litestar.params import HeaderParameter

from api.context import Context, HttpRequest, actor_of
from api.problems import ProblemError, malformed, refused
from engine.envelope import Committed, Envelope, IdempotencyKey
from engine.records import payload
from statemachines.declaration import Event
from statemachines.machine import Machine

_KEY = re.compile(r'([A-Za-z0-9._:-]{1,255})|"([A-Za-z0-9._:-]{1,255})"')
_VERSION = re.compile(r'(?:W/)?"v(\d{1,18})"')

IdempotencyKeyHeader = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="The same key with the same request is answered once and replayed for 7 days.",
        schema_extra={"pattern": "^[A-Za-z0-9._:-]{1,255}$"},
    ),
]
IfMatchHeader = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description='Act only if the entity is at this version, as its `ETag` names it: `"v3"`. `*` is any version.',
        schema_extra={"pattern": '^("v[0-9]{1,18}"|[*])$'},
    ),
]

ETAG = ResponseHeader(name="ETag", value='"v3"', description="the entity's version", documentation_only=True)
REPLAYED = ResponseHeader(
    name="Idempotency-Replayed",
    value="true",
    description="there if this answer was given before, under the same idempotency key",
    documentation_only=True,
)


async def raise_event(
    context: Context,
    machine: Machine,
    request: HttpRequest,
    entity_id: str | None,
    event: Event,
    idempotency_key: str | None,
    if_match: str | None = None,
) -> Committed:
    """Raise an event for the caller and return what was committed.

    Args:
        context: the parts of the service.
        machine: the entity's.
        request: asks for the event.
        entity_id: the entity's; None if the event creates it.
        event: what is asked.
        idempotency_key: the header of that name, if it was sent.
        if_match: the header of that name, if it was sent.

    Raises:
        ProblemError: the event was refused, or a header can't be read.
        DispatchError: see its subclasses.
    """
    envelope = Envelope(
        machine=machine.name,
        event=event,
        actor=actor_of(request),
        id=entity_id,
        cause=request.scope["request_id"],  # type: ignore[typeddict-item]
        expected_version=_read_version(if_match),
        key=_read_key(context, request, event, idempotency_key),
    )
    outcome = await context.dispatcher.dispatch(envelope)
    if not isinstance(outcome, Committed):
        raise refused(outcome)
    return outcome


def headers_of(outcome: Committed, version: int | None = None) -> dict[str, str]:
    """Return the headers of an answer to an event: the entity's version, and whether the answer was given before."""
    headers = {"ETag": f'"v{outcome.version if version is None else version}"'}
    if outcome.replayed:
        headers["Idempotency-Replayed"] = "true"
    return headers


def _read_key(context: Context, request: HttpRequest, event: Event, text: str | None) -> IdempotencyKey | None:
    if text is None:
        if context.require_idempotency_key:
            raise ProblemError(
                400, "idempotency-key-missing", "An idempotency key is needed", "send an Idempotency-Key header"
            )
        return None
    match = _KEY.fullmatch(text.strip())
    if match is None:
        raise malformed("an Idempotency-Key has 1 to 255 letters, digits or any of . _ : -")
    parts = request.scope["path"].rstrip("/"), sorted(request.query_params.multi_items()), payload(event)
    fingerprint = hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()
    return IdempotencyKey(str(actor_of(request)), match[1] or match[2], fingerprint)


def _read_version(text: str | None) -> int | None:
    if text is None or text.strip() == "*":
        return None
    match = _VERSION.fullmatch(text.strip())
    if match is None:
        raise malformed('If-Match names one version, as in "v3"')
    return int(match[1])
