"""Exploring all that may happen in a world: every order of people's events, timers and answers, up to a bound.

Guards may refuse a machine into a corner, and machines that are right by themselves may wait for each other. So beside
the verification of declarations (`statemachines.verification`) worlds are walked through, step by step, breadth first:
the first thing that goes wrong is shown by one of the shortest ways that lead to it.

What is checked in every state: the invariants that are given; that no answer from outside is refused, or it would be
lost; that nothing is sent to a state that takes no such event; and that some way leads to an end or a place to rest.
Timers fire in any order, for a shop may choose their figures: which moment came first is no part of a state.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from statemachines.decision import Refused
from statemachines.declaration import Actor, Event, Role
from statemachines.likeness import Numbers
from statemachines.machine import Machine
from statemachines.transaction import Asked, Happened, Outcome, SentRefused, Timer
from statemachines.world import World

Invariant = Callable[[World], str | None]
"""A sentence about a world, like a guard: returns None if it holds, else what is wrong."""

Answers = Mapping[str, Callable[[Asked], Iterable[Event]]]
"""By an effect's name: what the other side may answer to a call."""


@dataclass(frozen=True, slots=True)
class Move:
    """Something that somebody may do: raise an event on any entity of a machine, or create one."""

    machine: str
    event: Event | Callable[[Any], Event]
    """The event, or a function of the entity that returns it."""
    actor: Actor
    times: int | None = 1
    """How often it is done at most, on all entities together; None for as often as one likes."""


@dataclass(frozen=True, slots=True)
class Exploration:
    """What was seen; nothing was wrong."""

    states: int
    """How many states of the world were reached."""
    steps: int
    """How many steps lead from one to another."""
    reached: Mapping[str, frozenset[str]]
    """The states that the entities of each machine were in."""
    idle: tuple[Move, ...]
    """The moves that were refused wherever they were tried: what they were meant to show was not seen."""


class Violated(AssertionError):
    """Something goes wrong; the message shows what, and how it comes to that."""


class TooMuch(Exception):
    """There is more to explore than the limit allows: allow fewer moves."""


def explore(
    world: World,
    moves: Sequence[Move],
    answers: Answers,
    invariants: Iterable[Invariant] = (),
    *,
    resting: Mapping[str, Collection[str]] | None = None,
    ignoring: Collection[str] = (),
    refusable: Collection[type[Event]] = (),
    limit: int = 100_000,
) -> Exploration:
    """Walk through all that may happen from a world on.

    Args:
        world: where it begins; it is not changed.
        moves: what people may do.
        answers: what the other side may answer to the calls whose answers are awaited.
        invariants: what has to hold in every state.
        resting: by machine, the states beside the final ones in which an entity may stay for ever; a machine that has
            no final state may rest anywhere.
        ignoring: columns that make no difference to what may happen, such as texts for people. The moments of all
            columns and the versions are ignored in any case: only whether there is a moment counts.
        refusable: events that may be sent to a state that takes none, since whoever asked is told so.
        limit: how many states to reach at most.

    Raises:
        Violated: something goes wrong; no shorter way leads to something wrong.
        TooMuch: there are more states than the limit.
        LookupError: a call is awaited that `answers` knows no answer to.
        ValueError: somebody is to raise an event that the actor's role may never raise.
    """
    rules = _Rules(tuple(invariants), frozenset(refusable), resting or {}, limit)
    return _Explorer(world, moves, answers, rules, Numbers(ignoring)).explore()


@dataclass(frozen=True, slots=True)
class _Rules:
    """What has to hold, and up to where it is looked."""

    invariants: Sequence[Invariant]
    refusable: frozenset[type[Event]]
    resting: Mapping[str, Collection[str]]
    limit: int


@dataclass(frozen=True, slots=True)
class _Raised:
    """Somebody raises an event."""

    move: int
    machine: str
    id: str | None
    event: Event
    actor: Actor

    def happen(self, world: World) -> Outcome:
        return world.raise_(self.machine, self.id, self.event, self.actor)

    def __str__(self) -> str:
        return f"{self.actor.id}: {_said(self.event)}"


@dataclass(frozen=True, slots=True)
class _Answered:
    """The other side answers a call."""

    asked: Asked
    event: Event
    move = None

    def happen(self, world: World) -> Outcome:
        return world.answer(self.asked, self.event)

    def __str__(self) -> str:
        return f"{self.asked.call.effect.name} of {self.asked.id} is answered: {_said(self.event)}"


@dataclass(frozen=True, slots=True)
class _Fired:
    """A timer fires."""

    timer: Timer
    move = None

    def happen(self, world: World) -> Outcome:
        # The moment is no part of a state: what stands here may have been reached by a way that set it otherwise.
        return world.fire(next(timer for timer in world.timers if timer.key == self.timer.key))

    def __str__(self) -> str:
        return f"timer '{self.timer.name}' of {self.timer.machine} {self.timer.id}"


_Step = _Raised | _Answered | _Fired


def _said(event: Event) -> str:
    fields = ", ".join(f"{name}={getattr(event, name)!r}" for name in sorted(event.model_fields_set))
    return f"{event.event_name}({fields})"


@dataclass(slots=True)
class _State:
    """A state of the world, and how it was reached first."""

    parent: int
    step: _Step | None
    used: tuple[int, ...]
    """How often each move was made."""
    before: list[int]
    """From where a step leads here."""


class _Explorer:
    def __init__(self, world: World, moves: Sequence[Move], answers: Answers, rules: _Rules, numbers: Numbers) -> None:
        self._world = world.fork()
        self._moves = moves
        self._answers = answers
        self._rules = rules
        self._resting = {each.name: _places_to_rest(each, rules.resting.get(each.name, ())) for each in world.registry}
        self._numbers = numbers
        self._states: list[_State] = []
        self._known: dict[object, list[int]] = defaultdict(list)
        """States by the world's shape; they differ in the moves that are left."""
        self._at_rest: list[int] = []
        self._reached: dict[str, set[str]] = defaultdict(set)
        self._made: set[int] = set()

    def explore(self) -> Exploration:
        """Walk on from state to state until there is nothing new."""
        todo = deque([self._world])
        self._reach(self._world, self._world.shape(self._numbers), _State(0, None, (0,) * len(self._moves), []))
        at = 0
        while todo:
            world = todo.popleft()
            for step in self._next(world, self._states[at].used):
                child = world.fork()
                if self._happens(step, child, at) and self._meet(child, step, at):
                    todo.append(child)
            at += 1
        self._check_ways_out()
        steps = sum(len(state.before) for state in self._states)
        reached = {name: frozenset(each) for name, each in self._reached.items()}
        idle = tuple(move for number, move in enumerate(self._moves) if number not in self._made)
        return Exploration(len(self._states), steps, reached, idle)

    # -- from one state to the next --------------------------------------------------------------------------------

    def _next(self, world: World, used: tuple[int, ...]) -> Iterator[_Step]:
        """Yield what may be tried next."""
        for timer in world.timers:
            yield _Fired(timer)
        for asked in world.awaited:
            name = asked.call.effect.name
            if name not in self._answers:
                raise LookupError(f"'answers' says nothing of {name}, which {asked.machine} '{asked.id}' waits for")
            for event in self._answers[name](asked):
                yield _Answered(asked, event)
        for number, move in enumerate(self._moves):
            if move.times is None or used[number] < move.times:
                yield from _raised(world, number, move)

    def _happens(self, step: _Step, world: World, at: int) -> bool:
        """Let a step happen, and check that nothing is lost; return whether it changed anything."""
        try:
            outcome = step.happen(world)
        except Exception as error:
            raise Violated(self._story(at, f"{type(error).__name__}: {error}", step)) from error
        if (
            isinstance(outcome, SentRefused)
            and outcome.guard is None
            and type(outcome.sent) not in self._rules.refusable
        ):
            raise Violated(self._story(at, f"nobody hears what is sent: {outcome.reason}", step))
        if isinstance(outcome, Refused) and isinstance(step, _Answered):
            raise Violated(self._story(at, f"the answer is lost: {outcome.reason}", step))
        return isinstance(outcome, Happened) or not isinstance(step, _Raised)

    def _meet(self, world: World, step: _Step, at: int) -> bool:
        """Note where a step leads; return whether nobody has been there."""
        used = self._states[at].used
        if step.move is not None:
            self._made.add(step.move)
        if step.move is not None and self._moves[step.move].times is not None:
            used = (*used[: step.move], used[step.move] + 1, *used[step.move + 1 :])
        shape = world.shape(self._numbers)
        for known in self._known[shape]:
            state = self._states[known]
            if all(theirs <= ours for theirs, ours in zip(state.used, used, strict=True)):
                state.before.append(at)  # there is nothing that could be done here and not there
                return False
        self._reach(world, shape, _State(at, step, used, [at]))
        return True

    def _reach(self, world: World, shape: object, state: _State) -> None:
        number = len(self._states)
        if number == self._rules.limit:
            raise TooMuch(f"there are more than {self._rules.limit} states; allow fewer moves")
        self._states.append(state)
        self._known[shape].append(number)
        is_at_rest = True
        for machine, entity in world.entities():
            self._reached[machine.name].add(entity.state)
            is_at_rest = is_at_rest and entity.state in self._resting[machine.name]
        if is_at_rest:
            self._at_rest.append(number)
        for invariant in self._rules.invariants:
            if wrong := invariant(world):
                raise Violated(self._story(number, f"{_name(invariant)}: {wrong}"))

    # -- ways out --------------------------------------------------------------------------------------------------

    def _check_ways_out(self) -> None:
        """Check that from every state some way leads to rest, as far as the bounds let one see."""
        fine: set[int] = set()
        self._trace_back(self._at_rest, fine)
        for number in range(len(self._states)):
            if number not in fine and self._is_cut_off(number):
                self._trace_back([number], fine)
        stuck = next((number for number in range(len(self._states)) if number not in fine), None)
        if stuck is not None:
            world = self._replayed(stuck)[-1][0]
            restless = [
                f"{machine.name} {entity.id} in '{entity.state}'"
                for machine, entity in world.entities()
                if entity.state not in self._resting[machine.name]
            ]
            raise Violated(self._story(stuck, f"from here no way leads to rest: {', '.join(restless)}"))

    def _trace_back(self, found: Iterable[int], fine: set[int]) -> None:
        """Add the states from which a way leads to those found."""
        todo = [number for number in found if number not in fine]
        fine.update(todo)
        while todo:
            new = [before for before in self._states[todo.pop()].before if before not in fine]
            fine.update(new)
            todo.extend(new)

    def _is_cut_off(self, number: int) -> bool:
        """Tell whether a state leads on by a move that was made as often as allowed."""
        world, used = self._replayed(number)[-1][0], self._states[number].used
        shape = world.shape(self._numbers)
        for at, move in enumerate(self._moves):
            if move.times is None or used[at] < move.times:
                continue
            for step in _raised(world, at, move):
                child = world.fork()
                if isinstance(step.happen(child), Happened) and child.shape(self._numbers) != shape:
                    return True
        return False

    # -- telling it ------------------------------------------------------------------------------------------------

    def _replayed(self, number: int) -> list[tuple[World, _Step | None, Outcome | None]]:
        """Go the first way to a state once more; return the worlds on it, with what led there."""
        way = []
        while (state := self._states[number]).step is not None:
            way.append(state.step)
            number = state.parent
        worlds: list[tuple[World, _Step | None, Outcome | None]] = [(self._world.fork(), None, None)]
        for step in reversed(way):
            world = worlds[-1][0].fork()
            worlds.append((world, step, step.happen(world)))
        return worlds

    def _story(self, number: int, wrong: str, last: _Step | None = None) -> str:
        """Say what is wrong, and by which way one comes to it."""
        lines = [wrong]
        for at, (_, step, outcome) in enumerate(self._replayed(number)[1:], 1):
            lines.append(f"{at:3}. {step}")
            if isinstance(outcome, Happened):
                lines += [f"       {made}" for made in outcome.steps]
            elif outcome is not None:
                lines.append(f"       refused: {outcome.reason}")
        if last is not None:
            lines.append(f"{len(self._replayed(number)):3}. {last}")
        return "\n".join(lines)


def _raised(world: World, number: int, move: Move) -> Iterator[_Raised]:
    """Yield a move on each of the entities whose states take it."""
    machine = world.registry[move.machine]
    if isinstance(move.event, machine.creation):
        yield _Raised(number, machine.name, None, move.event, move.actor)
        return
    for id_ in world.ids(machine.name):
        entity = world.entity(machine.name, id_)
        event = move.event if isinstance(move.event, Event) else move.event(entity)
        if move.actor.role is not Role.SYSTEM and move.actor.role not in event.raised_by:
            raise ValueError(f"the role {move.actor.role} may not raise '{event.event_name}'")
        if machine.rows_for(entity.state, event.event_name):
            yield _Raised(number, machine.name, id_, event, move.actor)


def _places_to_rest(machine: Machine, others: Collection[str]) -> frozenset[str]:
    finals = {state.name for state in machine.states.values() if state.final}
    return frozenset({*finals, *others} if finals or others else machine.states)


def _name(invariant: Invariant) -> str:
    return getattr(invariant, "__name__", repr(invariant)).replace("_", " ")
