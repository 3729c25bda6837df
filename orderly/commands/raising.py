"""What the commands share that raise events: in process, through the same dispatcher as the API."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from engine.envelope import DispatchError, Envelope, Outcome, Rejected
from orderly.commands.opening import MISUSED, fail
from statemachines.declaration import Actor, Event

if TYPE_CHECKING:
    from orderly.service import Service

E = TypeVar("E", bound=Event)

Admin = Annotated[str, typer.Option("--as", metavar="ROLE:NAME", help="Who steps in, as `admin:root`.")]
Reason = Annotated[str, typer.Option(help="Why; it stands in the history.")]


def event_of(kind: type[E], values: Mapping[str, Any]) -> E:
    """Return an event; fields that do not hold end the command."""
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        fail(f"'{kind.event_name}' can't be asked like this: {'; '.join(problems)}", MISUSED)


async def raise_event(
    service: "Service", machine: str, entity: str | None, event: Event, who: Actor
) -> Outcome | DispatchError:
    """Raise an event, and return what became of it. What it asks of the outside world is done by the running server."""
    try:
        return await service.dispatcher.dispatch(Envelope(machine, event, who, entity, cause="command"))
    except DispatchError as error:
        return error


def why_not(outcome: Rejected | DispatchError) -> str:
    """Return why an event was not accepted."""
    match outcome:
        case Rejected(guard=None):
            return f"'{outcome.event}' was refused: {outcome.reason}"
        case Rejected():
            instead = ", ".join(outcome.allowed)
            refused = f"'{outcome.event}' was refused ({outcome.guard}): {outcome.reason}"
            return f"{refused}\nin state '{outcome.state}' it takes: {instead}"
        case _:
            return str(outcome)
