"""The subject of a decision, and how declared functions are called on it."""

import inspect
from collections.abc import Callable, Container
from datetime import datetime
from operator import attrgetter
from typing import Any, cast

import transitions

from statemachines.commands import Call, Command
from statemachines.declaration import Actor, DeclarationError, Entity, Event, Policy, Transition

CONTEXT = frozenset({"event", "now", "actor", "policy"})
"""The parameter names, beside the loads', by which declared functions ask for what they need."""


class Trial:
    """What the `transitions` library moves instead of the row: the state as it would be, and what came up."""

    __slots__ = ("actor", "commands", "entity", "event", "loaded", "now", "policy", "refusal", "row", "state")

    def __init__(
        self, entity: Entity, event: Event | None, now: datetime | None, loaded: object, policy: Policy, actor: Actor
    ) -> None:
        self.state = entity.state
        self.entity = entity
        self.event = event
        self.now = now
        self.loaded = loaded
        self.policy = policy
        self.actor = actor
        self.commands: list[Command] = []
        self.refusal: tuple[str, str] | None = None
        self.row: Transition | None = None


class Injected:
    """A declared function, called with what its parameters name.

    A parameter is named ``event``, ``now``, ``actor``, ``policy`` or like a load; a first parameter with any other name
    is the entity.

    Raises:
        DeclarationError: a parameter names nothing that there is.
    """

    __slots__ = ("_arguments", "asks_entity", "function", "name", "parameters")

    def __init__(self, function: Callable[..., Any], loads: Container[str]) -> None:
        self.function = function
        self.name = getattr(function, "__name__", repr(function))
        self.parameters = tuple(inspect.signature(function).parameters)
        paths = [self._path(position, name, loads) for position, name in enumerate(self.parameters)]
        self.asks_entity = "entity" in paths
        self._arguments = _getter(paths)

    def _path(self, position: int, name: str, loads: Container[str]) -> str:
        if name in loads:
            return f"loaded.{name}"
        if name in CONTEXT:
            return name
        if position == 0 and not self._is_event(name):
            return "entity"
        code = getattr(self.function, "__code__", None)
        place = f"{code.co_filename}:{code.co_firstlineno}" if code else self.name
        raise DeclarationError(
            f"{place}: {self.name} asks for '{name}', which is neither a load nor one of {sorted(CONTEXT)}"
        )

    def _is_event(self, name: str) -> bool:
        """Tell whether a parameter is meant for the event but does not bear its name."""
        kind = getattr(self.function, "__annotations__", {}).get(name)
        return isinstance(kind, type) and issubclass(kind, Event)

    def __call__(self, trial: Trial) -> Any:
        return self.function(*self._arguments(trial))


def _getter(paths: list[str]) -> Callable[[Trial], tuple[Any, ...]]:
    """Return a function that reads the attributes at `paths` as a tuple, however many they are."""
    match paths:
        case []:
            return lambda _: ()
        case [path]:
            one = attrgetter(path)
            return lambda trial: (one(trial),)
        case _:
            return attrgetter(*paths)


def condition(row: Transition, guards: tuple[Injected, ...]) -> Callable[[transitions.EventData], bool]:
    """Make a row's guards one condition that stops at the first refusal and keeps its reason."""

    def holds(data: transitions.EventData) -> bool:
        trial = cast(Trial, data.model)
        for guard in guards:
            reason = guard(trial)
            if reason is not None:
                trial.refusal = guard.name, reason
                return False
        trial.row = row
        return True

    return holds


def collector(action: Injected) -> Callable[[transitions.EventData], None]:
    """Make an action a callback that collects its commands."""
    declared = frozenset(effect.name for effect in getattr(action.function, "effects", ()))

    def collect(data: transitions.EventData) -> None:
        trial = cast(Trial, data.model)
        for command in action(trial):
            if type(command) is Call and command.effect.name not in declared:
                raise DeclarationError(f"{action.name} calls {command.effect.name} without being marked @asks for it")
            trial.commands.append(command)

    return collect
