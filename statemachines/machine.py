"""A machine: a checked declaration, compiled once, and the questions that can be asked of it."""

import inspect
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from typing import Any, cast

import transitions

from statemachines import checks
from statemachines.declaration import (
    NEW,
    Action,
    Actor,
    After,
    Effect,
    Entity,
    Event,
    Load,
    Policy,
    Role,
    State,
    Transition,
)
from statemachines.trial import Injected, Trial, collector, condition

logging.getLogger("transitions").setLevel(logging.WARNING)  # at INFO it costs 14 µs a trigger

SYSTEM = Actor("system", Role.SYSTEM)

_UNKNOWN = frozenset({"now", "actor"})
"""What guards may ask for and is not known yet when rows are loaded."""


@dataclass(frozen=True, slots=True)
class _Needs:
    """What must be loaded if a row may be the one that is taken."""

    first_guards: tuple[Injected, ...]
    """Its guards before the first that asks for more than the entity, the event and the policy."""
    is_sure: bool
    """Whether these are all, so that the row is taken once they hold."""
    loads: frozenset[str]


class Machine:
    """A declared machine. Raises `DeclarationError` at construction if the declaration is wrong.

    Args:
        entity: the class of the rows it governs.
        name: what its events, routes and commands call one entity; by default the entity's class in lower case.
        plural: the collection's name in routes and the name of the table.
        prefix: of the TypeIDs of its entities; None if `key` names them.
        key: a function of the creating event that names the entity, where the business already has a name for it.
        states, transitions, loads: the table.
        policy: the figures a shop may choose.
        readers: the roles that may look at its entities.
    """

    def __init__(
        self,
        entity: type[Entity],
        *,
        name: str | None = None,
        plural: str,
        prefix: str | None = None,
        key: Callable[[Any], str] | None = None,
        states: Sequence[State],
        transitions: Sequence[Transition],
        loads: Sequence[Load] = (),
        policy: Policy | None = None,
        readers: Iterable[Role] = tuple(Role),
    ) -> None:
        self.entity = entity
        self.name = name or entity.__name__.lower()
        self.plural = plural
        self.prefix = prefix
        self.key = key
        self.states = {state.name: state for state in states}
        self.transitions = tuple(transitions)
        self.loads = {load.name: load for load in loads}
        self.policy = policy or Policy()
        self.readers = frozenset(readers)
        checks.declaration(self, states, loads)
        self.events: dict[str, type[Event]] = {row.event.event_name: row.event for row in self.transitions}
        self._compile()

    def __repr__(self) -> str:
        return f"Machine({self.name})"

    # -- questions about the declaration ---------------------------------------------------------------------------

    @property
    def initial(self) -> str:
        """The state of a new entity."""
        return next(row.target for row in self.transitions if NEW in row.sources and row.target)

    @property
    def creation(self) -> type[Event]:
        """The event that creates an entity."""
        return next(row.event for row in self.transitions if NEW in row.sources)

    @property
    def effects(self) -> tuple[Effect, ...]:
        """The effects that its actions may call."""
        state_actions = [action for state in self.states.values() for action in (*state.entry, *state.exit)]
        asked = [effect for action in state_actions for effect in getattr(action, "effects", ())]
        asked += [effect for row in self.transitions for effect in row.effects]
        return tuple({effect.name: effect for effect in asked}.values())

    def rows_for(self, state: str, event: str) -> Sequence[Transition]:
        """Return the rows that `state` has for `event`, in the order in which they are tried."""
        return self._rows.get((state, event), ())

    def events_of(self, state: str) -> tuple[str, ...]:
        """Return the names of the events that `state` takes, in the order of the declaration."""
        return self._events_of.get(state, ())

    def may_come_to_take(self, state: str, event: str) -> bool:
        """Tell whether `state` takes `event`, or leads to a state that does, whatever guards say."""
        reached, rest = {state}, [state]
        while rest:
            here = rest.pop()
            if self.rows_for(here, event):
                return True
            ways = {row.target for row in self.transitions if row.target is not None and here in row.sources}
            rest.extend(ways - reached)
            reached |= ways
        return False

    def is_waiting(self, state: str) -> bool:
        """Tell whether an entity in `state` waits for the outcome of an effect, or another entity, to move it on."""
        return state in self._waiting or bool(state in self.states and self.states[state].awaits)

    def effects_of(self, row: Transition) -> tuple[Effect, ...]:
        """Return the effects that a row may call, by its own actions and those of the states it leaves and enters."""
        on_the_way = [effect for action in self._state_actions(row) for effect in getattr(action, "effects", ())]
        return tuple(dict.fromkeys((*row.effects, *on_the_way)))

    def shows(self, entity: Entity, actor: Actor) -> bool:
        """Tell whether the actor may know of an entity; a customer knows of its own and of what belongs to the shop."""
        if actor.role not in self.readers:
            return False
        owner = self.entity.owner_column
        if actor.role is not Role.CUSTOMER or owner is None or entity.state == NEW:
            return True
        return bool(getattr(entity, owner) == actor.id)

    def blank(self, id: str) -> Entity:  # noqa: A002
        """Return an entity with this id that is not created yet."""
        return self._blank.model_copy(update={"id": id})

    def needs(self, entity: Entity, event: Event) -> tuple[Load, ...]:
        """Return what must be loaded to decide `event` on an entity as it is, in the order of loading.

        A row that the entity, the event and the policy rule out by themselves needs nothing: what is not loaded is not
        locked either, and others that want it need not wait.
        """
        rows = self._needs.get((entity.state, event.event_name), ())
        trial = Trial(entity, event, None, None, self.policy, SYSTEM)
        names: set[str] = set()
        for row in rows:
            if row.loads <= names and not row.is_sure:
                continue
            if any(guard(trial) is not None for guard in row.first_guards):
                continue
            names |= row.loads
            if row.is_sure:
                break
        return tuple(load for load in self.loads.values() if load.name in names) if names else ()

    def may_need(self, state: str) -> frozenset[str]:
        """Return the names of what deciding on events in `state` may ask for."""
        return frozenset(
            name for (at, _), rows in self._needs.items() if at == state for row in rows for name in row.loads
        )

    def keys_of(self, load: Load) -> Injected:
        """Return what computes the keys of a load."""
        return self._keys[load.name]

    def key_of(self, load: Load, entity: Entity, event: Event | None, loaded: object) -> list[str]:
        """Return the values of the column `load.by` that this entity and event call for."""
        return list(self._keys[load.name](Trial(entity, event, None, loaded, self.policy, SYSTEM)))

    def with_policy(self, policy: Policy) -> "Machine":
        """Return the same machine with other figures."""
        other = object.__new__(Machine)
        vars(other).update(vars(self))
        other.policy = policy
        return other

    # -- what deciding needs ---------------------------------------------------------------------------------------

    def trigger(self, trial: Trial) -> bool:
        """Let the first row that holds move the trial; return False if a guard of each refused."""
        assert trial.event is not None
        return self._triggers[trial.event.event_name](trial)

    def guards_of(self, row: Transition) -> tuple[Injected, ...]:
        """Return a row's guards, ready to be called on a trial."""
        return self._guards[id(row)]

    def asks_payload(self, function: Injected) -> bool:
        """Tell whether a guard can be answered only with an event's payload at hand."""
        return any(
            name == "event" or (name in self._keys and self.asks_payload(self._keys[name]))
            for name in function.parameters
        )

    def timeouts(self, state: str) -> Sequence[tuple[After, timedelta | Injected]]:
        """Return the timeouts of `state`, each with its duration or what computes it."""
        return self._timeouts.get(state, ())

    def timer_names(self, state: str) -> Sequence[str]:
        """Return the names of the timers that leaving `state` cancels."""
        return self._timer_names.get(state, ())

    # -- compiling -------------------------------------------------------------------------------------------------

    def _compile(self) -> None:
        """Build the one shared `transitions` machine and the indexes that decisions read."""
        self._blank = self.entity.model_construct(state=NEW)  # copied: making it costs several times as much
        self._rows: dict[tuple[str, str], list[Transition]] = defaultdict(list)
        self._guards: dict[int, tuple[Injected, ...]] = {}
        self._keys = {load.name: self._inject(load.keys) for load in self.loads.values()}
        self._timeouts = {
            name: tuple((after, self._duration(after)) for after in state.timeouts)
            for name, state in self.states.items()
        }
        self._timer_names = {name: tuple(a.timer for a in state.timeouts) for name, state in self.states.items()}
        compiled = transitions.Machine(
            model=None,
            initial=cast(str, None),
            auto_transitions=False,
            send_event=True,
            queued=False,
            states=[NEW, *(self._compile_state(state) for state in self.states.values())],
        )
        for row in self.transitions:
            guards = tuple(self._inject(guard) for guard in row.guards)
            self._guards[id(row)] = guards
            for source in row.sources:
                self._rows[source, row.event.event_name].append(row)
                compiled.add_transition(
                    row.event.event_name,
                    source,
                    cast(str, row.target),
                    conditions=[condition(row, guards)],
                    before=[collector(self._inject(action)) for action in (*self._exit(source, row), *row.actions)],
                )
        self._triggers = {name: event.trigger for name, event in compiled.events.items()}
        names: dict[str, dict[str, None]] = defaultdict(dict)
        for state, event in self._rows:
            names[state][event] = None
        self._events_of = {state: tuple(events) for state, events in names.items()}
        self._waiting = {row.target for row in self.transitions if row.target and self._awaits_outcome(row)}
        self._needs = {
            key: tuple(self._needs_of(row) for row in rows)
            for key, rows in self._rows.items()
            if any(self._loads_of(row) for row in rows)
        }

    def _exit(self, source: str, row: Transition) -> Sequence[Action]:
        """Return what leaving `source` asks for: before the row's own actions, as in statecharts everywhere."""
        return () if row.target is None or source == NEW else self.states[source].exit

    def _compile_state(self, state: State) -> transitions.State:
        return transitions.State(
            state.name,
            on_enter=[collector(self._inject(action)) for action in state.entry],
            final=state.final,
        )

    def _inject(self, function: Callable[..., object]) -> Injected:
        return Injected(function, self.loads)

    def _duration(self, after: After) -> timedelta | Injected:
        match after.duration:
            case timedelta():
                return after.duration
            case str():
                return self._inject(_chosen(after.duration))
            case _:
                return self._inject(after.duration)

    def _awaits_outcome(self, row: Transition) -> bool:
        outcomes = {event for effect in self.effects_of(row) for event in effect.outcomes}
        return any(
            other.event in outcomes and row.target in other.sources and other.target not in (None, row.target)
            for other in self.transitions
        )

    def _needs_of(self, row: Transition) -> "_Needs":
        guards = self._guards[id(row)]
        first = tuple(takewhile(lambda guard: _UNKNOWN.union(self.loads).isdisjoint(guard.parameters), guards))
        return _Needs(first, is_sure=first == guards, loads=self._loads_of(row))

    def _loads_of(self, row: Transition) -> frozenset[str]:
        """Return the names of what a row asks for, and of what the keys of that ask for."""
        asked = {
            parameter
            for function in (*row.guards, *row.actions, *self._state_actions(row), *self._durations(row))
            for parameter in inspect.signature(function).parameters
        }
        needed: set[str] = set()
        for load in reversed(self.loads.values()):
            if load.name in asked:
                needed.add(load.name)
                asked.update(self._keys[load.name].parameters)
        return frozenset(needed)

    def _state_actions(self, row: Transition) -> Iterable[Action]:
        if row.target is None:
            return ()
        left = [action for source in row.sources for action in self._exit(source, row)]
        return (*left, *self.states[row.target].entry)

    def _durations(self, row: Transition) -> Iterable[Callable[..., object]]:
        timeouts = () if row.target is None else self.states[row.target].timeouts
        return [after.duration for after in timeouts if callable(after.duration)]


def _chosen(figure: str) -> Callable[..., timedelta]:
    """Return what reads a time span that a shop may choose."""

    def chosen(policy: Policy) -> timedelta:
        span: timedelta = getattr(policy, figure)
        return span

    return chosen
