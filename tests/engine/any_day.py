"""Any day in a shop on a real service: people, gateways, carriers and clocks do what they like; chance says what.

Of what the gateway is asked some is answered in turn, some out of turn by a message, some twice and some long after.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from random import Random

from pydantic import ValidationError
from sqlmodel import SQLModel

from engine.clock import VirtualClock
from engine.envelope import Claim, Committed, DecisionFailed, DispatchError, Envelope, Rejected
from engine.inbox import Message
from orderly.service import Service
from orderly.settings import Settings
from persistence.tables import EffectRow
from statemachines.declaration import Actor, Event, Role
from statemachines.order import OrderPolicy, Pay, Submit
from statemachines.payment import Payment
from statemachines.product import Create as CreateProduct
from statemachines.refund.model import Refund, RefundPolicy
from statemachines.registry import MACHINES
from statemachines.returns.model import ReturnLine
from statemachines.shipment import Shipment
from statemachines.stock import Adjust, Freeze, Receive, Unfreeze
from tests.conftest import NOON
from tests.engine import messages
from tests.engine.books import Row, rows
from tests.engine.shop import ANNA, BEN, MERCHANT, Shop, basket, committed
from tests.statemachines.happenings import Said, filled

KINDS = ["order", "payment", "refund", "shipment", "return", "approval"]
PRICES = {"MUG": (1250, "EUR"), "POT": (3999, "EUR"), "CUP": (500, "JPY"), "JAR": (1_001, "BHD")}
PEOPLE = [ANNA, ANNA, BEN, MERCHANT, MERCHANT, MERCHANT, Actor("eve", Role.APPROVER)]
TOKENS = ["tok_approve"] * 8 + ["tok_decline", "tok_fail_once", "tok_timeout", "tok_action", "tok_nobody"]
TOKENS += ["tok_no_refund", "tok_no_capture", "tok_no_void"]
OFTEN = {"submit", "pay", "approve", "ship", "dispatch", "deliver", "refund", "request_return", "receive", "inspect"}
"""What leads on."""

SELDOM = {"cancel", "fail", "void", "lose", "reject", "suspect", "hold", "withdraw", "refuse", "reorder", "edit"}
"""What would end most ways too early, or lead nowhere new, if it happened as often as the rest."""

Told = tuple[str, str | None, Event, Actor]


def _inspected(random: Random, case: Row) -> list[Row]:
    """Say of each line how much of it is sound, damaged and not taken back."""
    found = []
    for line in case["lines"]:
        accepted = random.randint(0, line["quantity"])
        damaged = random.randint(0, line["quantity"] - accepted)
        counts = {"accepted": accepted, "damaged": damaged, "refused": line["quantity"] - accepted - damaged}
        found.append({"number": line["number"], "percent": random.choice([0, 33, 100]), **counts})
    return found


SAID: Said = {
    "method": lambda random, _: random.choice(TOKENS),
    "amount": lambda random, _: random.choice([1, 333, 500, 1250, 10**12]),
    "return.inspect.lines": _inspected,
    "round": lambda _, row: row["round"],
    "given": lambda random, _: random.random() < 0.5,
}
"""What events say here, before what they say anywhere."""


class AnyDay:
    """People do what they like in a shop on a real service, several of them at once; the seed says what."""

    def __init__(self, service: Service, seed: int) -> None:
        self.shop, self.service, self.random = Shop(service), service, Random(seed)
        self._heard = 0

    async def begin(self) -> None:
        for sku, (price, currency) in PRICES.items():
            product = CreateProduct(sku=sku, name=sku.title(), price=price, currency=currency, on_hand=8)
            committed(await self.shop.tell("product", None, product))

    async def step(self) -> object:
        """Let something happen; return what came of it, as plain text without ids."""
        match self.random.randrange(20):
            case 0 | 1:
                return await self._somebody_buys()
            case 2:
                return await self.several(self._an_order(), self._the_shelf(), self._the_catalogue())
            case 3:
                await self.service.advance(timedelta(minutes=self.random.choice([1, 1, 31, 60 * 25, 60 * 24 * 15])))
                return str(self.service.clock.now())
            case 4 | 5 | 6:
                await self.service.settle()
                return "settled"
            case 7 | 8:
                return await self._the_gateway_tells()
            case 9:
                return await self._a_message_comes()
            case _:
                entities = await self._entities()
                return await self.several(*(self._an_event(entities) for _ in range(self.random.randint(1, 6))))

    # -- people

    async def several(self, *told: Told) -> list[str]:
        """Let events arrive together, if need be under idempotency keys."""
        key = self.random.choice([None, None, f"k{self.random.randrange(30)}"])
        asked = (self.shop.tell(*each, key=key and f"{key}{at}") for at, each in enumerate(told))
        return [_described(result) for result in await asyncio.gather(*asked, return_exceptions=True)]

    async def _somebody_buys(self) -> str:
        """Place an order, submit it and pay it, perhaps in two parts."""
        made = await self.shop.tell(*self._an_order())
        events: list[Event] = [Submit()] if isinstance(made, Committed) else []
        for amount in self.random.choice([[None], [None], [700, None]]) if events else ():
            how = self.random.choice([None, "now", "later"])
            events.append(Pay(method=self.random.choice(TOKENS), amount=amount, take=how))
        return " ".join([_described(await self.shop.tell("order", made.id, event, ANNA)) for event in events])

    def _an_order(self) -> Told:
        skus = self.random.choice([["MUG", "POT"], ["MUG"], ["POT"], ["CUP"], ["JAR"]])
        pieces = {sku: self.random.randint(1, 3) for sku in skus}
        reference = self.random.choice([None, None, f"shop-{self.random.randrange(10**6)}"])
        return "order", None, basket(reference, **pieces).model_copy(update={"customer": "anna"}), MERCHANT

    def _an_event(self, entities: list[tuple[str, Row]]) -> Told:
        """Choose what somebody asks of one of the newest entities, mostly something that may come there."""
        if not entities:
            return self._an_order()
        while True:
            machine = self.random.choice(KINDS)
            known = [row for name, row in entities if name == machine]
            row = self.random.choice(known[-8:] or [row for name, row in entities if name == (machine := "order")])
            names = MACHINES[machine].events_of(row["state"])
            names = [name for name in names if name not in SELDOM] + 3 * [name for name in names if name in OFTEN]
            if not names or self.random.random() < 0.15:
                names = [
                    name for name, kind in MACHINES[machine].events.items() if kind is not MACHINES[machine].creation
                ]
            kind = MACHINES[machine].events[self.random.choice(names)]
            may = [person for person in PEOPLE if person.role in kind.raised_by]
            if not may:
                continue
            with suppress(ValidationError):  # it has to say what nobody here knows
                event = filled(self.random, machine, kind, row, SAID)
                return machine, row["id"], event, self.random.choice([*may * 4, *PEOPLE])

    def _the_shelf(self) -> Told:
        events = [
            Receive(quantity=5),
            Receive(quantity=2),
            Adjust(difference=-1, reason="broken"),
            Freeze(),
            Unfreeze(),
        ]
        return "stock", self.random.choice(list(PRICES)), self.random.choice(events), MERCHANT

    def _the_catalogue(self) -> Told:
        event = self.random.choice(["discontinue", *["relist"] * 7])
        return "product", self.random.choice(list(PRICES)), MACHINES["product"].events[event](), MERCHANT

    # -- the gateway, the bank and the carrier

    async def _the_gateway_tells(self) -> list[str]:
        """Answer some of what the gateway was asked, whichever and however late, now and then twice."""
        effects = [effect for effect in await self._rows(EffectRow) if effect["destination"] == "payments"]
        open_ = [effect for effect in effects if effect["status"] in ("pending", "running")]
        if not effects:
            return []
        chosen = [self.random.choice(open_ or effects) for _ in range(self.random.randint(1, 3))]
        told = [(effect, self._answer(effect)) for effect in (*chosen, self.random.choice(effects))]
        envelopes = [
            Envelope(effect["machine"], event, Actor(effect["name"], Role.SYSTEM), id=effect["entity_id"],
                     cause=effect["id"], completes=Claim(effect["id"], None))
            for effect, event in told
        ]  # fmt: skip
        asked = (self.service.dispatcher.dispatch(envelope) for envelope in envelopes)
        return [_described(result) for result in await asyncio.gather(*asked, return_exceptions=True)]

    def _answer(self, effect: Row) -> Event:
        """Return how an effect ended, mostly well."""
        kinds = next(each for each in MACHINES[effect["machine"]].effects if each.name == effect["name"])
        kind = self.random.choice([kinds.ok, kinds.ok, kinds.ok, *kinds.outcomes])
        asked = effect["arguments"]
        about = f"{asked.get('currency')}{asked.get('amount')}_{effect['id']}"
        held = "held" if effect["name"] == "payments.authorize" else "taken"
        said = {
            "payment": f"sbx_{held}_approve_{about}",
            "refund": f"re_{about}",
            "reason": "no funds",
            "url": "https://bank.example/confirm",
            "total": asked.get("captured", 0) + asked.get("amount", 0),
            **asked,
        }
        assert kind is not None
        return kind.model_validate({name: said[name] for name in kind.model_fields if name in said})

    async def _a_message_comes(self) -> str:
        """Let the bank or the carrier tell something, perhaps what was told before."""
        messages_ = [*await self._from_the_bank(), *await self._from_the_carrier()]
        if not messages_:
            return "no message"
        sender, body = self.random.choice(messages_)
        self._heard += self.random.random() < 0.8
        await self.service.inbox.receive(Message(sender, f"evt_{self._heard}", {**body, "id": f"evt_{self._heard}"}))
        await self.service.settle()
        return str(body["type"])

    async def _from_the_bank(self) -> list[tuple[str, Row]]:
        told = []
        effects = await self._rows(EffectRow)
        for payment in await self._rows(Payment):
            if payment["currency"] != "EUR" or not payment["payment"]:
                continue
            name, amount = payment["payment"], self.random.randint(1, payment["amount"])
            told.append(messages.dispute("created", name, amount=amount))
            told += [messages.dispute("closed", name, amount=amount, status=status) for status in ("won", "lost")]
            mine = [effect for effect in effects if effect["entity_id"] == payment["id"]]
            told += [messages.intent("succeeded", each["id"], name, amount=payment["amount"]) for each in mine]
        for refund in await self._rows(Refund):
            mine = [effect for effect in effects if effect["entity_id"] == refund["id"]]
            if refund["currency"] == "EUR":
                for status in ("succeeded", "failed"):
                    told += [messages.refund(status, each["id"], name="", amount=refund["amount"]) for each in mine]
        return [("stripe", body) for body in told]

    async def _from_the_carrier(self) -> list[tuple[str, Row]]:
        kinds = ("shipped", "delivered", "lost", "returned")
        parcels = [shipment["id"] for shipment in await self._rows(Shipment)]
        told = [{"type": f"shipment.{kind}", "data": {"reference": id_}} for kind in kinds for id_ in parcels]
        return [("carrier", body) for body in told]

    # -- what there is

    async def _entities(self) -> list[tuple[str, Row]]:
        """Return every entity that people move, the oldest first."""
        found = [(kind, row) for kind in KINDS for row in await self._rows(MACHINES[kind].entity)]
        lines = await self._rows(ReturnLine)
        for kind, row in found:
            if kind == "return":
                row["lines"] = [line for line in lines if line["return_id"] == row["id"]]
        return sorted(found, key=lambda each: (each[1]["created_at"], each[1]["id"]))

    async def _rows(self, kind: type[SQLModel]) -> list[Row]:
        return await self.service.database.read(lambda connection: rows(connection, kind))


def _described(result: object) -> str:
    if isinstance(result, BaseException):
        assert isinstance(result, DispatchError), result
        assert not isinstance(result, DecisionFailed), result.__cause__ or result
        return type(result).__name__
    assert isinstance(result, Committed | Rejected)
    return f"{type(result).__name__} {result.machine} {result.event} {result.state} {result.version}"


@asynccontextmanager
async def any_day(url: str, seed: int) -> AsyncIterator[AnyDay]:
    """Open a shop where approvals are often needed, and sometimes a carrier is asked and money taken later."""
    chosen = Settings(
        database_url=url,
        key_pepper="pepper",
        sqlite_synchronous="NORMAL",
        order=OrderPolicy(take="later" if seed % 3 == 0 else "now", approval_above=9000 if seed % 4 == 0 else None),
        refund=RefundPolicy(approval_above=1500),
    )
    async with Service.open(chosen, clock=VirtualClock(NOON), random=Random(seed), migrate=True) as service:
        day = AnyDay(service, seed)
        await day.begin()
        yield day
