"""Whatever comes back, and however it is found: each piece is restocked once and paid back once."""

from statemachines.order.events import Complete, RequestReturn, Return, Ship
from statemachines.returns.events import Approve, Cancel, Depart, Inspect, Receive, Reject
from statemachines.shipment.events import Deliver, Dispatch, SendBack
from tests.statemachines.explored import ONE_PIECE, PUT_RIGHT, anna, delivered, explored, merchant

DECIDE = [merchant("return", Approve()), merchant("return", Reject(reason="no")), anna("return", Cancel())]
RECEIVE = merchant("return", Receive())


def found(**pieces: int) -> Inspect:
    return Inspect.model_validate({"lines": [{"number": 1, **pieces}]})


SOUND, DAMAGED, REFUSED = found(accepted=1), found(damaged=1, percent=50), found(refused=1)
ONE = RequestReturn.model_validate({"lines": ONE_PIECE})
EXCHANGE = RequestReturn.model_validate({"lines": ONE_PIECE, "wish": "exchange"})


def test_two_returns_of_one_order() -> None:
    inspect = [merchant("return", each) for each in (SOUND, DAMAGED)]
    seen = explored(delivered(2), anna("order", ONE, 2), *DECIDE, RECEIVE, *inspect, *PUT_RIGHT[1:3])
    assert seen.reached["return"] >= {"rejected", "cancelled", "expired", "refunding", "refunded"}
    assert seen.reached["order"] == {"delivered", "completed", "returned"}


def test_a_return_beside_pieces_that_come_back_over_the_counter() -> None:
    inspect = [merchant("return", each) for each in (SOUND, REFUSED, found(accepted=1, damaged=1, percent=50))]
    counter = merchant("order", Return.model_validate({"lines": ONE_PIECE}))
    complete, depart = anna("order", Complete()), anna("return", Depart())
    seen = explored(
        delivered(2),
        anna("order", RequestReturn(), 1),
        counter,
        complete,
        *DECIDE,
        depart,
        RECEIVE,
        *inspect,
        *PUT_RIGHT[1:3],
    )
    assert seen.reached["return"] >= {"in_transit", "closed", "refunded"}
    assert seen.reached["order"] == {"delivered", "completed", "returned"}


def test_pieces_that_are_exchanged() -> None:
    inspect = [merchant("return", each) for each in (SOUND, DAMAGED)]
    parcel = [merchant("shipment", each) for each in (Dispatch(), Deliver())]
    seen = explored(
        delivered(2),
        anna("order", EXCHANGE, 2),
        DECIDE[0],
        RECEIVE,
        *inspect,
        *parcel,
        merchant("shipment", SendBack(), 1),
        merchant("order", Ship()),
        *PUT_RIGHT[1:3],
    )
    assert seen.reached["return"] >= {"exchanged", "refunding", "refunded", "expired"}
    assert seen.reached["order"] >= {"delivered", "completed", "partially_shipped"}
