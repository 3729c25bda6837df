"""What comes of a request: the requester is told by mail, the entity that asked by an event of the same transaction."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from statemachines.approval.events import Approve, Approved, Reject, Rejected, RequestChanges, Vote, Withdraw
from statemachines.approval.model import Approval
from statemachines.approval.policy import ApprovalPolicy
from statemachines.commands import Command, Send, Set
from statemachines.commands import Withdraw as Recall
from statemachines.declaration import Actor, Role, asks
from statemachines.letters import ApprovalDecided
from statemachines.messages import SEND_MAIL, mail

SILENCE = "nobody decided in time"
LAPSE = "the changes asked for were not made in time"
TOO_FEW = "too few are left who could approve it"
WITHDRAWN = "the requester withdrew it"


@asks(SEND_MAIL)
def ask_for_changes(
    approval: Approval, event: RequestChanges, now: datetime, policy: ApprovalPolicy
) -> Iterator[Command]:
    """Tell the requester what is to be changed, and until when."""
    yield Recall(SEND_MAIL)
    yield from _write(approval, "changes_requested", event.reason, now + policy.changes_within)


@asks(SEND_MAIL)
def remind_of_changes(approval: Approval, policy: ApprovalPolicy) -> Iterator[Command]:
    """Remind the requester that changes were asked for."""
    assert approval.state_since is not None
    yield from _write(approval, "changes_requested", None, approval.state_since + policy.changes_within)


@asks(SEND_MAIL)
def grant(approval: Approval, event: Approve, now: datetime) -> Iterator[Command]:
    """Approve it: the entity may go on, with just what was approved."""
    yield Set(decided_at=now, decided_because=event.comment)
    yield Recall(SEND_MAIL)
    yield from _write(approval, "approved", event.comment)
    if approval.machine:
        approved = Approved(
            approval=approval.id,
            amount=approval.amount,
            currency=approval.currency,
            subject_version=approval.subject_version,
        )
        yield Send(approval.machine, approval.reference, approved)


@asks(SEND_MAIL)
def turn_down(approval: Approval, event: Vote, now: datetime) -> Iterator[Command]:
    """Reject it, for the reason given by the last to reject, or because too many abstained."""
    yield from _end(approval, "rejected", event.reason if isinstance(event, Reject) else TOO_FEW, now)


@asks(SEND_MAIL)
def turn_down_unheard(approval: Approval, now: datetime) -> Iterator[Command]:
    """Reject it because nobody decided."""
    yield from _end(approval, "rejected", SILENCE, now)


@asks(SEND_MAIL)
def let_lapse(approval: Approval, now: datetime) -> Iterator[Command]:
    """End it because the requester did not change it."""
    yield from _end(approval, "expired", LAPSE, now)


@asks(SEND_MAIL)
def take_back(approval: Approval, event: Withdraw, actor: Actor, now: datetime) -> Iterator[Command]:
    """End it because it is asked no longer; who withdrew it need not be told."""
    yield Set(decided_at=now, decided_because=event.reason)
    yield Recall(SEND_MAIL)
    if actor.role is not Role.SYSTEM:
        yield from _refuse(approval, "withdrawn", event.reason or WITHDRAWN)


def _end(approval: Approval, outcome: Literal["rejected", "expired"], reason: str, now: datetime) -> Iterator[Command]:
    yield Set(decided_at=now, decided_because=reason)
    yield Recall(SEND_MAIL)
    yield from _write(approval, outcome, reason)
    yield from _refuse(approval, outcome, reason)


def _refuse(approval: Approval, outcome: Literal["rejected", "expired", "withdrawn"], reason: str) -> Iterator[Command]:
    if approval.machine:
        yield Send(approval.machine, approval.reference, Rejected(approval=approval.id, outcome=outcome, reason=reason))


def _write(
    approval: Approval,
    outcome: Literal["approved", "rejected", "changes_requested", "expired"],
    reason: str | None,
    until: datetime | None = None,
) -> Iterator[Command]:
    if approval.mail:
        message = ApprovalDecided(
            outcome=outcome,
            approval=approval.id,
            kind=approval.kind,
            subject=approval.reference,
            amount=approval.amount,
            currency=approval.currency,
            reason=reason,
            expires_at=until,
        )
        yield mail(approval.mail, message)
