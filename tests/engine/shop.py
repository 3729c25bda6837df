"""A shop on a real service: what people do in it, a line each."""

from sqlalchemy import select

from engine.envelope import Committed, Envelope, IdempotencyKey, Outcome, Rejected
from orderly.service import Service
from persistence import queries
from persistence.tables import TABLES, EffectRow, TimerRow
from statemachines.declaration import Actor, Event, Role
from statemachines.order import Create, Fulfill, LineAsked, Pay, Submit
from statemachines.product import Create as CreateProduct

ANNA = Actor("anna", Role.CUSTOMER)
BEN = Actor("ben", Role.CUSTOMER)
MERCHANT = Actor("shop", Role.MERCHANT)


class Shop:
    """Raises events on a service's entities and looks at its rows."""

    def __init__(self, service: Service) -> None:
        self.service = service

    # -- given

    async def sells(self, *skus: str, price: int = 1250, on_hand: int = 10) -> None:
        """Put products into the catalogue."""
        for sku in skus:
            created = CreateProduct(sku=sku, name=sku.title(), price=price, currency="EUR", on_hand=on_hand)
            committed(await self.tell("product", None, created))

    async def draft(self, *, by: Actor = ANNA, reference: str | None = None, **pieces: int) -> str:
        """Place a draft of the pieces named, for example ``draft(MUG=2)``; return its id."""
        return committed(await self.tell("order", None, basket(reference, **pieces), by)).id

    async def pending(self, **pieces: int) -> str:
        order = await self.draft(**pieces)
        committed(await self.tell("order", order, Submit(), ANNA))
        return order

    async def paying(self, method: str = "tok_approve", **pieces: int) -> str:
        order = await self.pending(**pieces)
        committed(await self.tell("order", order, Pay(method=method), ANNA))
        return order

    async def paid(self, **pieces: int) -> str:
        order = await self.paying(**pieces)
        await self.service.settle()
        return order

    async def fulfilled(self, **pieces: int) -> str:
        order = await self.paid(**pieces)
        committed(await self.tell("order", order, Fulfill()))
        return order

    # -- when

    async def tell(
        self,
        machine: str,
        id: str | None,  # noqa: A002
        event: Event,
        by: Actor = MERCHANT,
        *,
        key: str | None = None,
        version: int | None = None,
    ) -> Outcome:
        """Raise an event, if need be under an idempotency key or for an expected version."""
        named = IdempotencyKey(by.id, key, repr((machine, id, event))) if key else None
        envelope = Envelope(machine=machine, id=id, event=event, actor=by, key=named, expected_version=version)
        return await self.service.dispatcher.dispatch(envelope)

    # -- then

    async def row(self, machine: str, id: str) -> dict[str, object]:  # noqa: A002
        """Return an entity's columns."""
        kind = self.service.registry[machine]
        row = await self.service.database.read(lambda connection: queries.get_entity(connection, kind, id))
        assert row is not None
        return row

    async def state(self, order: str) -> object:
        return (await self.row("order", order))["state"]

    async def shelf(self, sku: str = "MUG") -> tuple[object, object]:
        """Return the pieces on hand and reserved."""
        row = await self.row("stock", sku)
        return row["on_hand"], row["reserved"]

    async def story(self, machine: str, id: str) -> list[str]:  # noqa: A002
        """Return the names of the events that an entity's history tells of."""
        return [row["event"] for row in await self.history(machine, id)]

    async def history(self, machine: str, id: str) -> list[dict[str, object]]:  # noqa: A002
        kind = self.service.registry[machine]
        page = await self.service.database.read(lambda c: queries.list_history(c, kind, id, 200, None))
        return list(page.rows)

    async def effects(self) -> list[dict[str, object]]:
        """Return every effect, the oldest first."""
        return await self._all(EffectRow)

    async def timers(self) -> list[dict[str, object]]:
        """Return every timer."""
        return await self._all(TimerRow)

    async def _all(self, row: type) -> list[dict[str, object]]:
        """Return every row of a table, in key order."""
        table = TABLES[row]
        statement = select(table).order_by(*table.primary_key.columns)
        return await self.service.database.read(lambda c: [dict(r) for r in c.execute(statement).mappings()])


def basket(reference: str | None = None, **pieces: int) -> Create:
    """Ask for a draft of the pieces named."""
    return Create(reference=reference, lines=tuple(LineAsked(sku=sku, quantity=n) for sku, n in pieces.items()))


def committed(outcome: Outcome) -> Committed:
    """Return the outcome, which must be an acceptance."""
    assert isinstance(outcome, Committed), outcome
    return outcome


def rejected(outcome: Outcome) -> Rejected:
    """Return the outcome, which must be a refusal."""
    assert isinstance(outcome, Rejected), outcome
    return outcome
