"""A deal that may go ahead only once it is approved: what a subject of approvals does, in the table of orders."""

from collections.abc import Iterator

from statemachines.approval import ApprovalOpened, Approved, Rejected, Request, Resubmit
from statemachines.approval import Withdraw as WithdrawApproval
from statemachines.commands import Command, Send, Set, Spawn
from statemachines.declaration import NEW, Actor, Event, Role, State, Transition
from statemachines.machine import Machine
from statemachines.order import Order
from statemachines.values import Amount, Name, money


class Offer(Event, by=[Role.MERCHANT]):
    """Offer a customer a deal."""

    customer: Name
    total: Amount


class Ask(Event, by=[Role.MERCHANT]):
    """Ask for approval."""


class Change(Event, by=[Role.MERCHANT]):
    """Offer it for another sum."""

    total: Amount


class Cancel(Event, by=[Role.MERCHANT]):
    """Call it off."""


class Seal(Event, by=[Role.MERCHANT]):
    """Go ahead."""


def offer(event: Offer) -> Iterator[Command]:
    yield Set(customer=event.customer, total=event.total, currency="EUR")


def ask(deal: Order, actor: Actor) -> Iterator[Command]:
    yield Spawn(
        "approval",
        Request(
            kind="deal",
            machine="deal",
            reference=deal.id,
            description="a good deal",
            amount=deal.total,
            currency=deal.currency,
            requested_by=actor.id,
        ),
    )


def note_approval(event: ApprovalOpened) -> Iterator[Command]:
    yield Set(approval=event.approval)


def change(event: Change) -> Iterator[Command]:
    yield Set(total=event.total)


def ask_anew(deal: Order, event: Change) -> Iterator[Command]:
    assert deal.approval is not None
    yield Send("approval", deal.approval, Resubmit(amount=event.total))


def ask_no_longer(deal: Order) -> Iterator[Command]:
    assert deal.approval is not None
    yield Send("approval", deal.approval, WithdrawApproval(reason="the deal is off"))


def is_what_was_approved(deal: Order, event: Approved) -> str | None:
    if (event.approval, event.amount, event.currency) == (deal.approval, deal.total, deal.currency):
        return None
    return f"'{event.approval}' is of {money(event.amount or 0, event.currency or '')}, not of this deal"


def note_refusal(event: Rejected) -> Iterator[Command]:
    yield Set(attention=f"{event.outcome}: {event.reason}")


deal = Machine(
    Order,
    name="deal",
    plural="deals",
    prefix="dea",
    states=[
        State("offered"),
        State("waiting"),
        State("approved"),
        State("refused", final=True),
        State("cancelled", final=True),
        State("sealed", final=True),
    ],
    transitions=[
        Transition(Offer, NEW, "offered", [], [offer]),
        Transition(Ask, "offered", "waiting", [], [ask]),
        Transition(ApprovalOpened, "waiting", None, [], [note_approval]),
        Transition(Change, "waiting", None, [], [change, ask_anew]),
        Transition(Approved, "waiting", "approved", [is_what_was_approved]),
        Transition(Rejected, "waiting", "refused", [], [note_refusal]),
        Transition(Cancel, "waiting", "cancelled", [], [ask_no_longer]),
        Transition(Seal, "approved", "sealed"),
    ],
)
