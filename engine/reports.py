"""What came of attempts to deliver: written together where they come together, and what follows for the address.

An event is sent again after each of `PAUSES`. An address that fails again and again is spared: nothing but one message
now and then is sent to it, to see how it is, and waiting costs no attempt. When it answers, all that waits is tried at
once. It is given up if nothing got through for `LASTING`; an event that alone is never taken is let go by itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Final

from sqlalchemy import Connection

from engine.again import write
from engine.clock import Clock
from engine.natural import NaturalBatcher
from persistence import lanes
from persistence.bulk import Values
from persistence.database import Database
from persistence.lanes import LaneKey, Settled

PAUSES: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""After which attempt how long is waited for the next: those that Standard Webhooks advises, 75 hours in all."""

JITTER: Final = 0.2
"""By how much of its length a pause may be shorter or longer, so that not everything comes at once."""

LONGEST: Final = sum(PAUSES, timedelta()) * (1 + JITTER)
"""For how long an event is sent again, however often."""

LASTING: Final = timedelta(days=3)
"""After how long without any success an address is given up."""

TROUBLED: Final = 5
"""After how many failures in a row an address is spared."""

FIRST_HOLD: Final = timedelta(seconds=5)
LONGEST_HOLD: Final = timedelta(minutes=5)
"""How long an address is left alone that is spared; twice as long after each further failure, up to this."""

PARTING: Final = timedelta(minutes=5)
"""How long what waits for an address that is given up is left alone, until nothing waits for it any more."""

GONE: Final = 410
"""The answer of an address that wants nothing more, ever."""

LEASE: Final = timedelta(seconds=60)
"""How long a claim on a lane holds: longer than an attempt takes, and what came of it is written."""

LIMIT: Final = 200
"""How many reports one commit writes."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a runner did about a lane."""

    lane: Values
    """As the runner knew it."""
    next_version: int
    """The first transition that is not done with."""
    release: bool = False
    """Whether the runner lets go of the lane."""
    delivery: Values | None = None
    """The attempt that was made, if one was."""
    retry_after: timedelta | None = None
    """How long the address wants to be left alone."""

    @property
    def key(self) -> LaneKey:
        """Which lane it is."""
        return LaneKey.of(self.lane)

    @property
    def failed(self) -> bool:
        """Whether an attempt was made in vain."""
        return self.delivery is not None and self.delivery["outcome"] != "delivered"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from a report."""

    lane: Values | None = None
    """The lane, if the runner still holds it."""
    spared: bool = False
    """Whether the address is to be left alone for a while."""
    give_up: str | None = None
    """Why the address is to be given up, if it is."""
    failing_since: datetime | None = None


class Reports(NaturalBatcher[Report, Verdict]):
    """Writes reports. A lane that somebody else holds meanwhile is left alone."""

    def __init__(self, database: Database, clock: Clock, random: Random) -> None:
        self._database = database
        self._clock = clock
        self._random = random
        super().__init__(self._write, LIMIT)

    async def _write(self, reports: Sequence[Report]) -> Sequence[Verdict]:
        return await write(self._database, partial(self._settle, reports=reports))

    def _settle(self, connection: Connection, reports: Sequence[Report]) -> Sequence[Verdict]:
        now = self._clock.now()
        held = lanes.lock_lanes(connection, {report.key for report in reports})
        ids = {report.key.subscription_id for report in reports if report.delivery}
        failed = [report.key.subscription_id for report in reports if report.failed]
        endpoints = lanes.lock_endpoints(connection, ids, failed=failed)
        before = {name: dict(row) for name, row in endpoints.items()}
        settled, verdicts = Settled(), []
        for report in reports:
            delivery = dict(report.delivery) if report.delivery else {}
            if delivery:
                settled.deliveries.append(delivery)
            endpoint = endpoints.get(report.key.subscription_id)
            if delivery and endpoint is not None:
                self._note(endpoint, report, now)
            lane = held.get(report.key)
            if lane is None or not lane["running"] or lane["token"] != report.lane["token"]:
                verdicts.append(Verdict())
                continue
            if report.failed:
                verdicts.append(self._after_failure(report, delivery, lane, endpoint, now))
            else:
                verdicts.append(_go_on(report, lane, now))
            if lane["next_version"] > lane["last_version"]:
                settled.finished.append(report.key)
            else:
                settled.lanes.append(lane)
        settled.endpoints = [row for name, row in endpoints.items() if row != before[name]]
        lanes.settle(connection, settled)
        for name in _recovered(before.values(), endpoints):
            lanes.hurry(connection, name, now)
        return verdicts

    def _note(self, endpoint: Values, report: Report, now: datetime) -> None:
        """Note how an address fares."""
        if not report.failed:
            endpoint |= {"failures": 0, "failing_since": None, "held_until": None}
            return
        endpoint["failures"] += 1
        endpoint["failing_since"] = endpoint["failing_since"] or now
        hold = report.retry_after or timedelta()
        if endpoint["failures"] >= TROUBLED:
            doubled = FIRST_HOLD * 2 ** min(endpoint["failures"] - TROUBLED, 20)
            hold = max(hold, self._about(min(doubled, LONGEST_HOLD)))
        if hold:
            endpoint["held_until"] = now + hold

    def _after_failure(
        self, report: Report, delivery: Values, lane: Values, endpoint: Values | None, now: datetime
    ) -> Verdict:
        """Let a lane wait for the next attempt, go on without the event, or give the address up."""
        failing_since = lane["failing_since"] or now
        lane |= {"running": False, "attempts": lane["attempts"] + 1, "failing_since": failing_since}
        is_last = lane["attempts"] > len(PAUSES) or now - failing_since >= LONGEST
        reason = _reason_to_give_up(delivery, lane, endpoint, now, is_last=is_last)
        if reason is not None:
            lane["due_at"] = now + PARTING
            return Verdict(spared=True, give_up=reason, failing_since=endpoint["failing_since"] if endpoint else now)
        if is_last:
            delivery["outcome"] = "abandoned"
            lane |= {"next_version": delivery["version"] + 1, "due_at": now, "attempts": 0, "failing_since": None}
        else:
            pause = self._about(PAUSES[lane["attempts"] - 1])
            lane["due_at"] = now + max(pause, report.retry_after or timedelta())
        return Verdict(spared=endpoint is not None and endpoint["held_until"] is not None)

    def _about(self, span: timedelta) -> timedelta:
        return span * (1 + JITTER * (2 * self._random.random() - 1))


def _go_on(report: Report, lane: Values, now: datetime) -> Verdict:
    """Move a lane on behind what is done with."""
    lane |= {"next_version": report.next_version, "due_at": now if report.release else now + LEASE}
    lane["running"] = not report.release
    if report.delivery:
        lane |= {"attempts": 0, "failing_since": None}
    return Verdict(lane if lane["running"] and lane["next_version"] <= lane["last_version"] else None)


def _reason_to_give_up(
    delivery: Values, lane: Values, endpoint: Values | None, now: datetime, *, is_last: bool
) -> str | None:
    """Return why nothing more is to be sent to an address; None if there is no reason."""
    if delivery["status"] == GONE:
        return f"answered {GONE} Gone"
    if endpoint is None or endpoint["failing_since"] is None:
        return None
    if now - endpoint["failing_since"] >= LASTING:
        return f"nothing got through for {LASTING.days} days; at last: {delivery['error']}"
    if is_last and endpoint["failing_since"] <= lane["failing_since"]:
        return f"nothing got through in {lane['attempts']} attempts; at last: {delivery['error']}"
    return None


def _recovered(before: Iterable[Values], after: dict[str, Values]) -> list[str]:
    """Return which addresses were in trouble and answer again."""
    troubled = [row["subscription_id"] for row in before if row["failures"] >= TROUBLED]
    return [name for name in troubled if not after[name]["failures"]]
