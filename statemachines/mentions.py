"""What a declared function names in its code, found without running it.

Guards and actions are pure Python functions, so the effects and events that an action may ask for stand in its code as
names of its module, of its closure or of a module it imports. Functions of the same package that it calls are read too.
"""

from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType, FunctionType, ModuleType


def mentions(function: Callable[..., object]) -> Iterator[object]:
    """Yield the objects that the code of `function` names. What is computed at run time is not found."""
    return _mentions(function, _package(function), set())


def _mentions(function: object, package: str, seen: set[int]) -> Iterator[object]:
    if isinstance(function, partial):
        yield from (*function.args, *function.keywords.values())
        yield from _mentions(function.func, package, seen)
    if not isinstance(function, FunctionType) or id(function) in seen or _package(function) != package:
        return
    seen.add(id(function))
    for value in _named(function):
        yield value
        yield from _mentions(value, package, seen)


def _named(function: FunctionType) -> Iterator[object]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # named, but not bound yet
            continue
    for code in _codes(function.__code__):
        values = [function.__globals__[name] for name in code.co_names if name in function.__globals__]
        yield from values
        for module in values:
            if isinstance(module, ModuleType):
                yield from (vars(module)[name] for name in code.co_names if name in vars(module))


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield the code itself and that of the functions and comprehensions written inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _package(function: object) -> str:
    return (getattr(function, "__module__", None) or "").partition(".")[0]
