"""A visit to a shop, in which a customer looks at products and puts some of them into the basket."""

from datetime import timedelta

from pydantic import BaseModel

from statemachines.activity import ActivityPolicy, CartAdd, ProductView, Track
from statemachines.commands import Call
from statemachines.declaration import Actor, Event
from statemachines.messages import SendMail
from statemachines.transaction import Outcome
from tests.statemachines.shop import ANNA, Shop, accepted

SKUS = ("MUG", "JUG", "POT", "CUP", "PAN", "LID")


class Visit:
    """Anna's visit to a shop, hour by hour."""

    def __init__(self, email: str | None = "anna@home.example", **policy: object) -> None:
        self.shop = Shop(activity=ActivityPolicy.model_validate(policy))
        for sku in SKUS:
            self.shop.sells(sku)
        accepted(self.shop.create("activity", Track(customer="anna", email=email), ANNA))
        self.anna = self.shop.last("activity")

    def does(self, *events: Event, by: Actor = ANNA) -> "Visit":
        for event in events:
            accepted(self.tell(event, by))
        return self

    def tell(self, event: Event, by: Actor = ANNA) -> Outcome:
        return self.shop.tell(self.anna, event, by)

    def views(self, sku: str, times: int = 1) -> "Visit":
        return self.does(*[ProductView(sku=sku)] * times)

    def adds(self, *skus: str) -> "Visit":
        return self.does(*(CartAdd(sku=sku) for sku in skus))

    def waits(self, **time: float) -> "Visit":
        self.shop.wait(**time)
        return self

    @property
    def state(self) -> str:
        return str(self.anna.state)

    @property
    def mails(self) -> list[BaseModel]:
        """What was written to Anna so far."""
        return [written(call) for call in self.shop.calls()]

    @property
    def timers(self) -> dict[str, timedelta]:
        """What will happen by itself, and how long from now."""
        return {name: timer.due_at - self.shop.now for name, timer in self.shop.timers(self.anna).items()}


def written(call: Call) -> BaseModel:
    assert isinstance(call.arguments, SendMail)
    assert call.arguments.to == "anna@home.example"
    return call.arguments.message
