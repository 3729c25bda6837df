"""What leaves the house of what happened: no token, no address of a person, nothing that no declaration describes."""

from typing import Annotated, ClassVar

from pydantic import BaseModel

from statemachines.declaration import Event
from statemachines.order import Pay
from statemachines.privacy import PRIVATE, disclosed
from statemachines.registry import MACHINES
from statemachines.subscription import Create as Subscribe
from statemachines.values import PaymentToken

Secret = Annotated[str, PRIVATE]


class Person(BaseModel):
    name: str
    mail: Secret | None = None


class Home(BaseModel):
    is_private: ClassVar[bool] = True
    street: str


class Move(Event):
    """Somebody moves."""

    reason: str
    token: Secret
    spare: Secret | None = None
    marked: Annotated[str | None, PRIVATE] = None
    person: Person
    people: tuple[Person, ...] = ()
    by_name: dict[str, Secret] | None = None
    home: Home | None = None


def test_what_is_marked_stays_within_wherever_it_stands() -> None:
    person = {"name": "Ann", "mail": "ann@shop.example"}
    said = {
        "reason": "rain",
        "token": "tok_1",
        "spare": "tok_2",
        "marked": "tok_3",
        "person": person,
        "people": [person, person],
        "by_name": {"a": "tok_4"},
        "home": {"street": "High Street"},
    }
    assert disclosed(Move, said) == {"reason": "rain", "person": {"name": "Ann"}, "people": [{"name": "Ann"}] * 2}


def test_what_no_declaration_describes_stays_within() -> None:
    assert disclosed(Move, {"reason": "rain", "unheard_of": 1, "person": {"name": "Ann", "age": 7}}) == {
        "reason": "rain",
        "person": {"name": "Ann"},
    }


def test_neither_a_payment_token_nor_an_address_of_a_subscription_leaves() -> None:
    assert disclosed(Pay, {"method": "tok_approve"}) == {}
    assert "url" not in disclosed(Subscribe, {"url": "https://shop.example/secret", "patterns": ["*"]})


def test_no_event_of_any_machine_discloses_a_token() -> None:
    methods = [
        (machine.name, event.event_name)
        for machine in MACHINES
        for event in machine.events.values()
        for name, field in event.model_fields.items()
        if PRIVATE in field.metadata and name in disclosed(event, dict.fromkeys(event.model_fields))
    ]
    assert methods == []
    assert PRIVATE in PaymentToken.__metadata__
