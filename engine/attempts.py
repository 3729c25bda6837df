"""One attempt at an effect: the call, and whatever comes of it."""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

import structlog
from pydantic import ValidationError

from engine import telemetry
from engine.clock import Clock
from engine.destinations import Destination
from engine.dispatcher import Dispatcher
from engine.endings import Ending, Endings
from engine.envelope import Claim, DispatchError, Envelope, Superseded, Unavailable
from engine.results import Results
from gateways.port import ActionRequired, Answer, Attempt, Done, Handlers, NoAnswer, Refused
from persistence.bulk import Values
from statemachines.declaration import Actor, Effect, Event, Role

log = structlog.get_logger("orderly.effects")

REASON_LIMIT = 1000
"""How many characters are kept of why an attempt failed."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why an attempt came to nothing."""

    reason: str
    retry_after: timedelta | None = None
    answered: bool | None = None
    """Whether the other side answered; None if it can't be blamed."""


class Attempts:
    """Makes attempts at effects that this process holds, and settles them: reported, given back, or parked.

    Args:
        dispatcher: where outcomes go that are events.
        endings: where the others go.
        clock: tells the time.
        random: for the jitter of delays.
        handlers: the gateways, by the effects' names.
    """

    def __init__(
        self, dispatcher: Dispatcher, endings: Endings, clock: Clock, random: Random, handlers: Handlers
    ) -> None:
        self._dispatcher = dispatcher
        self._endings = endings
        self._clock = clock
        self._random = random
        self._handlers = handlers
        self._results = Results(clock)
        self.stopping = False
        """Whether to leave outcomes that can't be reported now to those who take over."""

    async def make(self, row: Values, effect: Effect, destination: Destination) -> None:
        """Make an attempt, and see to whatever comes of it.

        Args:
            row: the effect's, as it was claimed.
            effect: its declaration.
            destination: told how the call went.
        """
        try:
            arguments = effect.arguments.model_validate(row["arguments"])
        except ValidationError as error:
            await self.park(row, f"its arguments are not understood: {error.error_count()} are wrong")
            return
        began_at = self._clock.now()
        attempt = Attempt(
            key=row["id"],
            arguments=arguments,
            number=row["attempts"],
            timeout=effect.timeout,
            age=began_at - row["created_at"],
        )
        if (answer := self._results.find(effect, arguments)) is not None:
            outcome: Answer | _Failure = answer
        else:
            outcome = await self._call(attempt, effect, destination)
        if not isinstance(outcome, _Failure):
            if isinstance(outcome, Done):
                self._results.keep(effect, arguments, outcome)
            reason = await self._report(row, effect, outcome)
            if reason is None:
                return
            outcome = _Failure(reason)
        await self._try_again(row, effect, outcome, began_at)

    async def _call(self, attempt: Attempt, effect: Effect, destination: Destination) -> Answer | _Failure:
        began = time.perf_counter()
        outcome: Answer | _Failure
        try:
            outcome = await self._handlers[effect.name](attempt)
            _event_of(effect, outcome)
        except NoAnswer as error:
            outcome = _Failure(str(error), error.retry_after, answered=False)
        except ValidationError:
            outcome = _Failure("the gateway's answer makes no sense")
        except Exception as error:
            log.exception("effect_failed", effect=effect.name, id=attempt.key, attempt=attempt.number)
            outcome = _Failure(f"{type(error).__name__} in the gateway")
        seconds = time.perf_counter() - began
        answered = outcome.answered if isinstance(outcome, _Failure) else True
        telemetry.on_attempt(effect.name, seconds, answered=answered is True)
        destination.note(seconds, answered=answered)
        telemetry.on_circuit(destination.name, is_open=destination.is_down)
        return outcome

    async def _report(self, row: Values, effect: Effect, answer: Answer, error: str | None = None) -> str | None:
        """Settle an answer; return why it can't be taken, if it can't."""
        event = _event_of(effect, answer)
        if event is not None:
            return await self._raise(row, effect, event)
        if isinstance(answer, Refused) and effect.fallback is not None:
            return await self._report(row, effect, Done(effect.fallback), _reason_of(answer))
        if isinstance(answer, Done):
            now, outcome = self._clock.now(), dict(answer.values)
            done = {
                **row,
                "status": "done",
                "due_at": now,
                "finished_at": now,
                "outcome": outcome,
                "error": error and _storable(error),
            }
            await self._endings.submit(Ending(done))
        else:
            await self.park(row, _reason_of(answer))
        return None

    async def _raise(self, row: Values, effect: Effect, event: Event) -> str | None:
        envelope = Envelope(
            machine=row["machine"],
            id=row["entity_id"],
            event=event,
            actor=Actor(effect.name, Role.SYSTEM),
            cause=row["id"],
            completes=Claim(row["id"], row["token"]),
        )
        while True:
            try:
                await self._dispatcher.dispatch(envelope)
            except Superseded:
                log.warning("effect_superseded", effect=row["name"], id=row["id"])
            except Unavailable as unavailable:
                # The other side did it: what it answered is worth more than another attempt under the same key.
                log.warning("effect_outcome_delayed", effect=row["name"], id=row["id"], reason=str(unavailable))
                if not self.stopping:
                    await asyncio.sleep(unavailable.retry_after.total_seconds())
                    continue
            except DispatchError as failure:
                return str(failure)
            return None

    async def _try_again(self, row: Values, effect: Effect, failure: _Failure, began_at: datetime) -> None:
        """Give an effect back for a later attempt, or give it up after its last."""
        now, retry, reason = self._clock.now(), effect.retry, _storable(failure.reason)
        attempt = {
            "effect_id": row["id"],
            "token": row["token"],
            "began_at": began_at,
            "ended_at": now,
            "error": reason,
        }
        pause = retry.pause(row["attempts"], self._random.random())
        due_at = now + max(pause, failure.retry_after or timedelta())
        if row["attempts"] < retry.attempts and due_at <= row["retrying_since"] + retry.within:
            await self._endings.submit(_back(row, due_at, reason, attempt))
            return
        if effect.fallback is not None:
            log.warning("effect_given_up", effect=row["name"], id=row["id"], reason=reason)
            await self._endings.submit(Ending(None, attempt))
            refused = await self._report(row, effect, Done(effect.fallback), error=reason)
            if refused is None:
                return
            reason = refused
        await self.park(row, reason, attempt)

    # -- without a call --------------------------------------------------------------------------------------------

    async def park(self, row: Values, reason: str, attempt: Values | None = None) -> None:
        """Leave an effect to a person."""
        log.error("effect_parked", effect=row["name"], id=row["id"], reason=reason)
        now = self._clock.now()
        parked = {"status": "parked", "due_at": now, "finished_at": now, "error": _storable(reason)}
        await self._endings.submit(Ending({**row, **parked}, attempt))

    async def hand_back(self, row: Values, until: datetime) -> None:
        """Give back an effect that was claimed and not attempted: it costs no attempt."""
        await self._endings.submit(_back({**row, "attempts": row["attempts"] - 1}, until, row["error"]))

    async def cut_off(self, row: Values) -> None:
        """Give back an effect whose call is not waited for any longer."""
        await self._endings.submit(_back(row, self._clock.now(), "cut off when its runner stopped"))


def _back(row: Values, due_at: datetime, error: str | None, attempt: Values | None = None) -> Ending:
    return Ending({**row, "status": "pending", "due_at": due_at, "error": error}, attempt)


def _reason_of(answer: Answer) -> str:
    unasked = "refused" if isinstance(answer, Refused) else "the customer would have to do something first"
    return str(answer.values.get("reason", unasked))


def _storable(reason: str) -> str:
    """Return what a database takes of the other side's words: no NUL, no halves of characters, no end of them."""
    return reason[:REASON_LIMIT].encode("utf-8", "replace").decode().replace("\0", "")


def _event_of(effect: Effect, answer: Answer) -> Event | None:
    """Return the event that reports an answer, if one is declared.

    Raises:
        ValidationError: the answer does not fill the event.
    """
    match answer:
        case Done():
            event = effect.ok
        case ActionRequired():
            event = effect.action
        case _:
            event = effect.failed
    return event.model_validate(dict(answer.values)) if event else None
