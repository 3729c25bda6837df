"""The driver: takes a plan's steps through the service under the virtual clock.

The clock stands at a window's moment while the window's steps are dispatched, wave by wave and each wave all at once:
the service decides them in the order in which they are dispatched. After each wave it settles: payments and refunds
are answered, timers that are due fire. A step that a machine refuses is noted and the replay goes on. Anything else
that goes wrong ends it; started again, it goes on where the book says.

The replay names its orders itself, by their moment and their reference, so that a step knows its order before the order
is there, and every run of a file makes the same orders. Their parcels and returns are named by the service; the driver
looks up all that a wave needs at once.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Final

from sqlalchemy import Connection

from engine.clock import VirtualClock
from engine.envelope import Envelope, IdempotencyKey, NotFound, Rejected
from orderly.replay import book, children
from orderly.replay.children import Child
from orderly.replay.plan import Plan
from orderly.replay.report import Refusal
from orderly.replay.steps import Step
from orderly.replay.windows import Window, waves, windows
from orderly.service import Service
from persistence import queue
from statemachines.declaration import Actor, Role
from statemachines.ids import new_id
from statemachines.order import Create

REPLAY: Final = Actor("replay", Role.MERCHANT)
BOOKED_EVERY: Final = timedelta(days=1)
"""How much virtual time passes between two entries in the book; far less than an idempotency key's life."""

Progress = Callable[[int, int], None]
"""Told how many steps are done, and of how many."""


class Driver:
    """Takes the steps of one plan through one service.

    Args:
        service: the service, on a database of the replay's own.
        clock: the clock that the service was opened with.
        plan: what is to be done.
        fingerprint: the plan's, the same whenever the same file is planned under the same settings.
    """

    def __init__(self, service: Service, clock: VirtualClock, plan: Plan, fingerprint: str) -> None:
        self._service = service
        self._clock = clock
        self._plan = plan
        self._fingerprint = fingerprint
        self._refusals: dict[str, Refusal] = {}
        self._orders = {
            step.entity: new_id("ord", step.at, Random(f"{fingerprint}/{step.entity}"))  # noqa: S311  (a name, no secret)
            for step in plan.steps
            if isinstance(step.event, Create)
        }

    async def run(self, progress: Progress) -> dict[str, Refusal]:
        """Do what is left to do; return every step that was refused, then or before.

        Raises:
            NotOurs: the database holds what this replay did not make.
            DispatchError: the service could not decide a step.
        """
        database, steps = self._service.database, self._plan.steps
        entry = await database.write(lambda connection: book.open_book(connection, self._fingerprint))
        if strangers := await database.read(book.order_ids) - set(self._orders.values()):
            raise book.NotOurs(f"the database holds orders that no replay made, for example '{min(strangers)}'")
        refusals, done = dict(entry.refusals), entry.done
        booked_at = steps[done].at if done < len(steps) else None
        progress(done, len(steps))
        for window in windows(steps, done):
            assert booked_at is not None
            if window.at - booked_at >= BOOKED_EVERY:
                done, booked_at = await self._enter(done, window.end - len(window.steps)), window.at
            await self._take(window)
            refusals |= self._refusals
            progress(window.end, len(steps))
        if booked_at is not None:
            await self._service.advance_to(self._plan.until)
            await self._enter(done, len(steps))
        return refusals

    async def _enter(self, before: int, done: int) -> int:
        """Note in the book how far the replay has come, and forget the answers that nobody will ask for again."""
        refusals, self._refusals = self._refusals, {}
        now = self._clock.now()

        def enter(connection: Connection) -> None:
            book.write(connection, before, done, refusals)
            queue.delete_expired_keys(connection, now, len(self._plan.steps))

        await self._service.database.write(enter)
        return done

    async def _take(self, window: Window) -> None:
        await self._wait_until(window.at)
        for wave in waves(window.steps):
            wanted = {self._child(step) for step in wave if step.machine in children.TABLE_OF}
            found = await self._service.database.read(partial(children.find, wanted=wanted)) if wanted else {}
            await asyncio.gather(*(self._dispatch(step, found) for step in wave))
            await self._service.settle()

    def _child(self, step: Step) -> Child:
        return step.machine, self._orders[step.entity], step.reason

    async def _dispatch(self, step: Step, found: Mapping[Child, str]) -> None:
        entity: str | None = self._orders.get(step.entity, step.entity)
        if step.machine in children.TABLE_OF and (entity := found.get(self._child(step))) is None:
            self._never_created(step)
            return
        envelope = Envelope(
            machine=step.machine,
            id=entity,
            event=step.event,
            actor=REPLAY,
            key=IdempotencyKey("replay", step.key, self._fingerprint),
        )
        try:
            outcome = await self._service.dispatcher.dispatch(envelope)
        except NotFound:
            self._never_created(step)
        else:
            if isinstance(outcome, Rejected):
                self._refusals[step.key] = Refusal(outcome.guard, outcome.reason)

    def _never_created(self, step: Step) -> None:
        self._refusals[step.key] = Refusal(None, f"the {step.machine} was never created")

    async def _wait_until(self, moment: datetime) -> None:
        """Move the clock on, stopping wherever something is due on the way.

        Beside timers these are payments that a killed replay was about to make: their leases end within a minute.
        """
        due = await self._service.next_due()
        if due and due <= moment:
            await self._service.advance_to(moment)
        else:
            self._clock.advance_to(moment)
