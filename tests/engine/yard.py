"""A yard of shelves and parcels, in the tables of stock and orders, whose machines do all that a machine should not."""

import asyncio
from collections.abc import Iterator, Sequence
from random import Random

from engine.batch import Result
from engine.clock import Clock
from engine.dispatcher import CommittedBatch, Dispatcher
from engine.envelope import DispatchError, Envelope
from persistence import queries
from persistence.database import Database
from statemachines.commands import Add, Command, Release, Send, Set, Spawn
from statemachines.declaration import NEW, Actor, Event, Load, Role, State, Transition
from statemachines.machine import Machine
from statemachines.order import Order, OrderLine
from statemachines.order.needs import own_id
from statemachines.registry import Registry
from statemachines.stock import Stock

KEEPER = Actor("keeper", Role.MERCHANT)


class Build(Event, by=[Role.MERCHANT]):
    """Put a shelf up."""

    sku: str


class Put(Event, by=[Role.MERCHANT]):
    """Put pieces on the shelf."""

    pieces: int


class Stumble(Event, by=[Role.MERCHANT]):
    """Ask a guard that fails."""


class Drop(Event, by=[Role.MERCHANT]):
    """Ask for an action that fails half-way."""


class Overload(Event, by=[Role.MERCHANT]):
    """Put more on the shelf than the database allows."""


class LoseCount(Event, by=[Role.MERCHANT]):
    """Give back pieces that were never promised."""


class Hand(Event, by=[Role.MERCHANT]):
    """Hand a piece on to other shelves."""

    to: tuple[str, ...]
    pieces: int = 1


class Close(Event, by=[Role.MERCHANT]):
    """Take no more pieces."""


class Echo(Event, by=[Role.MERCHANT]):
    """Raise itself some more times."""

    times: int


class Extend(Event, by=[Role.MERCHANT]):
    """Build more shelves."""

    skus: tuple[str, ...]


class Dispatch(Event, by=[Role.MERCHANT]):
    """Make a parcel."""


class Count(Event, by=[Role.MERCHANT]):
    """Say how many parcels there are for somebody."""

    customer: str
    parcels: int


class Begin(Event, by=[Role.MERCHANT]):
    """Begin a parcel."""

    customer: str = ""


class Pack(Event, by=[Role.MERCHANT]):
    """Put a line into the parcel, and if need be close it over so many."""

    number: int
    seal: int = 0


class Seal(Event, by=[Role.MERCHANT]):
    """Close the parcel over so many lines."""

    lines: int


def stumbles(_: Stock) -> str | None:
    raise RuntimeError("a guard fails")


def build(event: Build) -> Iterator[Command]:
    yield Set(sku=event.sku)


def put(shelf: Stock, event: Put) -> Iterator[Command]:
    yield Set(**shelf.counted(on_hand=shelf.on_hand + event.pieces))


def drop(shelf: Stock) -> Iterator[Command]:
    yield Set(**shelf.counted(on_hand=shelf.on_hand + 1000))
    raise RuntimeError("an action fails")


def overload(shelf: Stock) -> Iterator[Command]:
    yield Set(**shelf.counted(on_hand=10**12))


def lose_count(shelf: Stock) -> Iterator[Command]:
    yield Set(reorder_level=99)
    yield Release(shelf, 1)


def hand_on(shelf: Stock, event: Hand) -> Iterator[Command]:
    yield Set(**shelf.counted(on_hand=shelf.on_hand - event.pieces * len(event.to)))
    yield from (Send("shelf", sku, Put(pieces=event.pieces)) for sku in event.to)


def echo(shelf: Stock, event: Echo) -> Iterator[Command]:
    if event.times > 1:
        yield Send("shelf", shelf.id, Echo(times=event.times - 1))


def extend(event: Extend) -> Iterator[Command]:
    yield from (Spawn("shelf", Build(sku=sku)) for sku in event.skus)


def make_parcel() -> Iterator[Command]:
    yield Spawn("parcel", Begin())


def asked(event: Count) -> list[str]:
    return [event.customer]


def counts_right(event: Count, parcels: list[Order]) -> str | None:
    return None if len(parcels) == event.parcels else f"there are {len(parcels)} parcels"


def address(event: Begin) -> Iterator[Command]:
    yield Set(customer=event.customer)


def nothing_packed(lines: list[OrderLine]) -> str | None:
    return "the parcel has lines" if lines else None


def pack(parcel: Order, event: Pack) -> Iterator[Command]:
    yield Add(OrderLine(order_id=parcel.id, number=event.number, sku="MUG", quantity=1, unit_price=1))
    if event.seal:
        yield Send("parcel", parcel.id, Seal(lines=event.seal))


def holds_as_many(event: Seal, lines: list[OrderLine]) -> str | None:
    return None if len(lines) == event.lines else f"{len(lines)} lines packed, {event.lines} expected"


shelf = Machine(
    Stock,
    name="shelf",
    plural="shelves",
    key=lambda event: event.sku,
    loads=[Load("parcels", Order, by="customer", keys=asked)],
    states=[State("open"), State("closed", final=True)],
    transitions=[
        Transition(Build, NEW, "open", [], [build]),
        Transition(Put, "open", None, [], [put]),
        Transition(Stumble, "open", None, [stumbles]),
        Transition(Drop, "open", None, [], [drop]),
        Transition(Overload, "open", None, [], [overload]),
        Transition(LoseCount, "open", None, [], [lose_count]),
        Transition(Hand, "open", None, [], [hand_on]),
        Transition(Echo, "open", None, [], [echo]),
        Transition(Extend, "open", None, [], [extend]),
        Transition(Dispatch, "open", None, [], [make_parcel]),
        Transition(Count, "open", None, [counts_right]),
        Transition(Close, "open", "closed"),
    ],
)

parcel = Machine(
    Order,
    name="parcel",
    plural="parcels",
    prefix="par",
    loads=[Load("lines", OrderLine, by="order_id", keys=own_id)],
    states=[State("open"), State("sealed", final=True)],
    transitions=[
        Transition(Begin, NEW, "open", [nothing_packed], [address]),
        Transition(Pack, "open", None, [], [pack]),
        Transition(Seal, "open", "sealed", [holds_as_many]),
    ],
)

YARD = Registry([shelf, parcel])


class Yard:
    """A dispatcher of its own over the yard's machines, which remembers its batches."""

    def __init__(self, database: Database, clock: Clock, *, seed: int = 1, **limits: int) -> None:
        self.database = database
        self.dispatcher = Dispatcher(database, YARD, clock, Random(seed), **limits)
        self.batches: list[CommittedBatch] = []
        self.dispatcher.listen(self.batches.append)

    async def tell(self, sku: str | None, event: Event, machine: str = "shelf") -> Result:
        """Raise an event; an error is returned, not raised."""
        try:
            return await self.dispatcher.dispatch(Envelope(machine=machine, id=sku, event=event, actor=KEEPER))
        except DispatchError as error:
            return error

    async def tell_all(self, *told: tuple[str | None, Event]) -> Sequence[Result]:
        """Raise events that arrive together and share a batch."""
        return await asyncio.gather(*(self.tell(sku, event) for sku, event in told))

    async def build(self, *skus: str) -> None:
        await self.tell_all(*((None, Build(sku=sku)) for sku in skus))

    async def pieces(self, *skus: str) -> list[int]:
        """Return the pieces on some shelves."""
        rows = [await self.database.read(lambda c, name=sku: queries.get_entity(c, shelf, name)) for sku in skus]
        return [row["on_hand"] for row in rows if row]

    async def story(self, id: str, machine: Machine = shelf) -> list[tuple[int, str]]:  # noqa: A002
        """Return the versions and events of an entity's history."""
        page = await self.database.read(lambda c: queries.list_history(c, machine, id, 200, None))
        return [(row["version"], row["event"]) for row in page.rows]
