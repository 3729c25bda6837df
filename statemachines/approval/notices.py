"""What those who may vote are told by mail.

An approver's address comes from the shop's policy, never from the request: no requester chooses whom the shop writes
to.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal

from statemachines.approval.actions import again, request
from statemachines.approval.events import Delegate, Request, Resubmit
from statemachines.approval.model import Approval, ApprovalSeat, ApprovalVote
from statemachines.approval.policy import ApprovalPolicy
from statemachines.approval.voting import (
    asked_levels,
    levels_of,
    next_level,
    open_to_all,
    seating,
    seats_of_level,
    yet_to_vote,
)
from statemachines.commands import Command, Withdraw
from statemachines.declaration import Actor, asks
from statemachines.letters import ApprovalRequested
from statemachines.messages import SEND_MAIL, mail

Occasion = Literal["request", "reminder", "escalation", "delegation"]


@asks(SEND_MAIL)
def announce(
    approval: Approval, event: Request, actor: Actor, now: datetime, policy: ApprovalPolicy
) -> Iterator[Command]:
    """Ask those who decide first."""
    put = request(approval, event, actor, policy)
    seats = list(seating(approval, put.requested_by, asked_levels(event, policy), policy))
    yield from _ask_level(put, seats, now, policy)


@asks(SEND_MAIL)
def announce_again(
    approval: Approval, event: Resubmit, now: datetime, seats: list[ApprovalSeat], policy: ApprovalPolicy
) -> Iterator[Command]:
    """Ask those who decide first, what was asked before having been overtaken."""
    yield Withdraw(SEND_MAIL)
    yield from _ask_level(again(approval, event), seats, now, policy)


@asks(SEND_MAIL)
def ask_next_level(
    approval: Approval, now: datetime, seats: list[ApprovalSeat], policy: ApprovalPolicy
) -> Iterator[Command]:
    """Ask those who decide next."""
    level = next_level(levels_of(approval), approval.amount, approval.currency, approval.level)
    yield from _ask_level(approval.model_copy(update={"level": level}), seats, now, policy)


@asks(SEND_MAIL)
def call_for_help(
    approval: Approval,
    actor: Actor,
    now: datetime,
    seats: list[ApprovalSeat],
    votes: list[ApprovalVote],
    policy: ApprovalPolicy,
) -> Iterator[Command]:
    """Ask those who may now vote too, and once more all who have not."""
    asked = yet_to_vote(seats_of_level(approval.level, seats, escalated=True), approval, votes)
    asked = [seat for seat in asked if seat.holder != actor.id]
    yield from _ask(approval, "escalation", _addresses(approval, asked, seats, policy), now + policy.reject_after)


@asks(SEND_MAIL)
def remind(
    approval: Approval, seats: list[ApprovalSeat], votes: list[ApprovalVote], policy: ApprovalPolicy
) -> Iterator[Command]:
    """Remind those who have not voted."""
    assert approval.state_since is not None
    escalated = approval.state == "escalated"
    asked = yet_to_vote(seats_of_level(approval.level, seats, escalated=escalated), approval, votes)
    until = approval.state_since + (policy.reject_after if escalated else policy.escalate_after)
    yield from _ask(approval, "reminder", _addresses(approval, asked, seats, policy), until)


@asks(SEND_MAIL)
def tell_delegate(approval: Approval, event: Delegate, policy: ApprovalPolicy) -> Iterator[Command]:
    """Tell somebody that they hold a vote now."""
    address = policy.addresses.get(event.to)
    yield from _ask(approval, "delegation", [address] if address else [], None)


def _ask_level(
    approval: Approval, seats: Iterable[ApprovalSeat], now: datetime, policy: ApprovalPolicy
) -> Iterator[Command]:
    """Ask those who decide on an approval's level; nobody of them has voted."""
    seats = list(seats)
    asked = seats_of_level(approval.level, seats)
    yield from _ask(approval, "request", _addresses(approval, asked, seats, policy), now + policy.escalate_after)


def _addresses(
    approval: Approval, asked: Iterable[ApprovalSeat], seats: Iterable[ApprovalSeat], policy: ApprovalPolicy
) -> list[str]:
    """Return where those who are asked get their mails, as far as it is known."""
    addresses = [policy.addresses[seat.holder] for seat in asked if seat.holder in policy.addresses]
    if policy.announce_to and open_to_all(approval.level, seats):
        addresses.append(policy.announce_to)
    return addresses


def _ask(approval: Approval, occasion: Occasion, addresses: Iterable[str], until: datetime | None) -> Iterator[Command]:
    for address in dict.fromkeys(addresses):
        message = ApprovalRequested(
            occasion=occasion,
            approval=approval.id,
            kind=approval.kind,
            subject=approval.reference,
            amount=approval.amount,
            currency=approval.currency,
            requested_by=approval.requested_by,
            reason=approval.description,
            expires_at=until,
        )
        yield mail(address, message)
