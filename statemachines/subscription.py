"""A subscription: an address outside that hears of transitions, by signed webhooks.

Events are delivered in order for each entity, for as long as the subscription is active. While it is paused they are
kept, and delivered once it is resumed. After lasting failure the service disables it: from then on nothing is kept for
it; what it missed can be asked for again once it is resumed. Its signing secret is stored nowhere: it follows from the
subscription's id, the number of its secret, and a key that stands outside the database.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import ClassVar, Self
from urllib.parse import urlsplit

import pydantic
from pydantic import PrivateAttr
from sqlalchemy import JSON, CheckConstraint
from sqlmodel import Field

from statemachines.commands import Command, Set
from statemachines.declaration import NEW, Entity, Event, Guard, Policy, Role, State, Transition, asks
from statemachines.hosts import EndpointUrl, why_not_public
from statemachines.letters import SubscriptionDisabled
from statemachines.machine import Machine
from statemachines.messages import SEND_MAIL, MailAddress, mail
from statemachines.patterns import Patterns, first_unknown
from statemachines.values import Moment, Name, Reference, Span, Text

OVERLAP = timedelta(hours=24)
"""How long messages are signed with the secret before as well, once there is a new one."""


class SubscriptionPolicy(Policy):
    """The figures of subscriptions, and of what is sent to them."""

    allow_http: bool = False
    """Whether addresses without TLS are taken."""
    allow_private: bool = False
    """Whether addresses within private networks, or on this machine, are taken and called."""
    redelivery_window: Span = timedelta(days=30)
    """How far back events can be asked for again."""
    source: str = pydantic.Field(default="/orderly", pattern=r"^[A-Za-z0-9._~:/?@!$&'()*+,;=%-]+$", max_length=500)
    """What events name as their source: the URL of this installation, or any other URI reference."""
    concurrency: int = pydantic.Field(default=50, ge=1, le=500)
    """How many messages a process sends at a time."""
    concurrency_per_address: int = pydantic.Field(default=10, ge=1, le=100)
    """How many of them to one subscription."""
    _recipients: tuple[MailAddress, ...] = PrivateAttr(())

    @property
    def recipients(self) -> tuple[MailAddress, ...]:
        """Who gets a mail when a subscription is disabled; nobody else is told who they are."""
        return self._recipients

    def with_notices_to(self, recipients: Iterable[MailAddress]) -> Self:
        """Return the same figures; notices go to these addresses."""
        other = self.model_copy()
        object.__setattr__(other, "__pydantic_private__", {"_recipients": tuple(recipients)})
        return other


class Subscription(Entity):
    """An address that hears of transitions."""

    __tablename__ = "subscriptions"
    __table_args__ = (CheckConstraint("secret_generation >= 1", name="ck_subscriptions_secret_generation"),)
    search_columns: ClassVar[tuple[str, ...]] = ("id",)

    url: str = Field(default="", max_length=2000, description="where messages are sent")
    patterns: list[str] = Field(
        default_factory=list, sa_type=JSON, description="which events are delivered: `order.charged`, `order.*` or `*`"
    )
    description: str | None = Field(default=None, max_length=500)
    secret_generation: int = Field(default=1, description="counts the signing secrets that it has had")
    secret_rotated_at: datetime | None = Field(default=None, description="when the newest secret took over")
    disabled_because: str | None = Field(default=None, description="why the service disabled it")


class Create(Event, by=[Role.MERCHANT]):
    """Have events delivered to an address, from now on.

    What they are signed with is told by `GET /subscriptions/{id}/secret`.
    """

    url: EndpointUrl
    patterns: Patterns = ("*",)
    description: Text | None = None


class Update(Event, by=[Role.MERCHANT]):
    """Change the address, the events or the description. What waits is tried at once."""

    url: EndpointUrl | None = None
    patterns: Patterns | None = None
    description: Text | None = None


class Pause(Event, by=[Role.MERCHANT]):
    """Deliver nothing until it is resumed; events are kept."""

    reason: Text | None = None


class Resume(Event, by=[Role.MERCHANT]):
    """Deliver again: after a pause what was kept, otherwise what happens from now on."""


class RotateSecret(Event, by=[Role.MERCHANT]):
    """Sign with a new secret; for 24 hours with the one before as well."""


class Ping(Event, by=[Role.MERCHANT]):
    """Have this very event delivered, whatever the patterns say, to see that the address works."""


class Redeliver(Event, by=[Role.MERCHANT]):
    """Have one event delivered again."""

    event_id: Reference


class RedeliverSince(Event, by=[Role.MERCHANT]):
    """Have everything delivered again that happened since a moment and that the patterns mean."""

    since: Moment


class Disable(Event, by=[Role.SYSTEM]):
    """Nothing gets through any more: deliver nothing, and keep nothing."""

    reason: Name
    failing_since: datetime


class Remove(Event, by=[Role.MERCHANT]):
    """Deliver nothing more, for good."""


def leads_to_a_public_host(event: Create | Update, policy: SubscriptionPolicy) -> str | None:
    """Refuse an address without TLS or within a private network, unless the shop's settings allow it."""
    if event.url is None:
        return None
    try:
        parts = urlsplit(event.url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "the address can't be read"
    if port == 0:
        return "the address has no port to speak of"
    if parts.scheme != "https" and not policy.allow_http:
        return "the address must begin with https://"
    if not policy.allow_private and (reason := why_not_public(host)):
        return f"{host} {reason}"
    return None


def means_events_there_are(event: Create | Update) -> str | None:
    """Refuse a pattern that no event will ever match."""
    unknown = first_unknown(event.patterns or ())
    return f"there is no event '{unknown}'" if unknown else None


def changes_something(event: Update) -> str | None:
    """Refuse an update that says nothing."""
    return None if event.model_fields_set else "says neither an address nor events nor a description"


def lies_within_the_window(event: RedeliverSince, now: datetime, policy: SubscriptionPolicy) -> str | None:
    """Refuse to go back further than the shop allows, or into the future."""
    if event.since > now:
        return "lies in the future"
    if event.since >= now - policy.redelivery_window:
        return None
    return f"lies more than {policy.redelivery_window.days} days back"


def take_address(event: Create) -> Iterator[Command]:
    """Take over what the merchant asks for."""
    yield Set(url=event.url, patterns=list(event.patterns), description=event.description)


def take_changes(event: Update) -> Iterator[Command]:
    """Take over what the merchant changes."""
    changes = {name: getattr(event, name) for name in event.model_fields_set}
    if changes.get("patterns") is not None:
        changes["patterns"] = list(changes["patterns"])
    kept = ("url", "patterns")
    yield Set(**{name: value for name, value in changes.items() if value is not None or name not in kept})


def take_next_secret(subscription: Subscription, now: datetime) -> Iterator[Command]:
    """Let the next secret take over."""
    yield Set(secret_generation=subscription.secret_generation + 1, secret_rotated_at=now)


def note_reason(event: Disable) -> Iterator[Command]:
    """Keep in sight why it was disabled."""
    yield Set(disabled_because=event.reason)


def forget_reason() -> Iterator[Command]:
    """Begin anew."""
    yield Set(disabled_because=None)


@asks(SEND_MAIL)
def give_notice(subscription: Subscription, event: Disable, policy: SubscriptionPolicy) -> Iterator[Command]:
    """Write to those who get the shop's reports and warnings."""
    host = urlsplit(subscription.url).hostname or ""
    notice = SubscriptionDisabled(
        subscription=subscription.id, host=host[:200], failing_since=event.failing_since, reason=event.reason
    )
    for recipient in policy.recipients:
        yield mail(recipient, notice)


LIVE = ["active", "paused"]
ANY = [*LIVE, "disabled"]
TAKEN: list[Guard] = [leads_to_a_public_host, means_events_there_are]

subscription = Machine(
    Subscription,
    plural="subscriptions",
    prefix="whs",
    policy=SubscriptionPolicy(),
    readers=[Role.MERCHANT, Role.ADMIN, Role.SYSTEM],
    states=[
        State("active"),
        State("paused"),
        State("disabled"),
        State("removed", final=True),
    ],
    transitions=[
        #          event           from        to          only if                      then
        Transition(Create,         NEW,        "active",   TAKEN,                       [take_address]),
        Transition(Update,         ANY,        None,       [changes_something, *TAKEN], [take_changes]),
        Transition(Pause,          "active",   "paused",   [],                          []),
        Transition(Resume,         "paused",   "active",   [],                          []),
        Transition(Resume,         "disabled", "active",   [],                          [forget_reason]),
        Transition(RotateSecret,   ANY,        None,       [],                          [take_next_secret]),
        Transition(Ping,           "active",   None,       [],                          []),
        Transition(Redeliver,      LIVE,       None,       [],                          []),
        Transition(RedeliverSince, LIVE,       None,       [lies_within_the_window],    []),
        Transition(Disable,        LIVE,       "disabled", [],                          [note_reason, give_notice]),
        Transition(Remove,         ANY,        "removed",  [],                          []),
    ],
)  # fmt: skip
