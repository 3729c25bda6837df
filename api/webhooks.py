"""The route on which others tell us what happened: by webhook, without a key, under a signature that has to hold."""

import hashlib

import structlog
from litestar import post
from litestar.params import FromPath
from pydantic import BaseModel, Field

from api import body
from api.answers import EVERYWHERE, WITH_BODY, problems
from api.context import Context, HttpRequest
from api.problems import ProblemError, malformed
from api.router import Router
from engine.inbox import Message
from gateways.signatures import NotVerified

log = structlog.get_logger("orderly.api")

ID_LIMIT = 255
"""How long the name of a message may be."""


class MessageKept(BaseModel):
    """That a message is kept."""

    duplicate: bool = Field(examples=[False], description="whether it had been kept before: then nothing more is done")


def not_verified() -> ProblemError:
    """Return the problem of a message from nobody we know: whoever forges one learns no more than that."""
    detail = "nothing is taken from this source, or not with this signature"
    headers = {"WWW-Authenticate": 'Signature realm="orderly"'}
    return ProblemError(401, "not-verified", "The message is not verified", detail, headers=headers)


def webhooks(context: Context) -> Router:
    """Return the route on which messages come in."""

    @post(
        "/{source:str}",
        operation_id="receive_webhook",
        summary="Tell what happened, by a signed message",
        description="The signature is made over the very bytes of the body. Once this is answered the message is kept; "
        "it is worked on soon after. One that comes again is kept once. Sources, schemes and secrets are settings.",
        response_description="The message is kept.",
        status_code=202,
        responses=problems(
            {status: text for status, text in {**EVERYWHERE, **WITH_BODY}.items() if status not in (403, 415, 422)}
            | {401: "Nothing is taken from this source, or not with this signature."},
            {401: not_verified()},
        ),
        opt={"takes": {"type": "object", "examples": [{"id": "msg_1", "type": "shipment.delivered", "data": {}}]}},
    )
    async def receive_webhook(request: HttpRequest, source: FromPath[str]) -> MessageKept:
        sent = await request.body()
        name = _verified(context, request, source, sent)
        said = body.parse(sent)
        if not isinstance(said, dict):
            raise malformed("the message is not a JSON object")
        message = Message(source, name or _name_of(said, sent), said)
        if len(message.external_id) > ID_LIMIT:
            raise malformed(f"the message's id is longer than {ID_LIMIT} characters")
        return MessageKept(duplicate=not await context.inbox.receive(message))

    return Router("/webhooks", route_handlers=[receive_webhook], tags=["webhooks"])


def _verified(context: Context, request: HttpRequest, source: str, sent: bytes) -> str | None:
    """Return the message's name if a signed header tells it.

    Raises:
        ProblemError: nobody knows whom the message is from.
    """
    verifier, reason = context.webhooks.get(source), "no such source, or no secret for it"
    if verifier is not None:
        try:
            return verifier.verify(request.headers, sent, context.clock.now())
        except NotVerified as error:
            reason = str(error)
    address = request.client.host if request.client else "unknown"
    request_id = request.scope["request_id"]  # type: ignore[typeddict-item]
    log.warning("webhook_not_verified", source=source[:50], reason=reason, address=address, request_id=request_id)
    raise not_verified()


def _name_of(said: dict[str, object], sent: bytes) -> str:
    """Return the message's name as its body tells it; without one the same bytes are the same message."""
    name = said.get("id")
    return name if isinstance(name, str) and name else f"sha256:{hashlib.sha256(sent).hexdigest()}"
