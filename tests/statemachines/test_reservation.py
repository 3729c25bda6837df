"""The business rules of reservations: what is kept for an order, for how long, and who is served first."""

from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError

from statemachines.declaration import Role
from statemachines.messages import PostMessage
from statemachines.product import Discontinue
from statemachines.reservation import Hold
from statemachines.reservation import reservation as machine
from statemachines.stock import Adjust, Freeze, Unfreeze
from tests.basket import BringBack, Fill, Keep, Pay, PutBack, Wish
from tests.conftest import NOON
from tests.statemachines.storeroom import Storeroom, pieces

HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)


@pytest.fixture
def room() -> Storeroom:
    """Three mugs are at the main location and two in Berlin."""
    room = Storeroom()
    room.sells("MUG", 3, berlin=2)
    room.sells("POT", 1)
    return room


# -- holding -------------------------------------------------------------------------------------------------------


def test_pieces_are_promised_where_they_are(room: Storeroom) -> None:
    order = room.filled(MUG=4)

    assert (room.state(order), room.lines(order)) == ("held", {"MUG": 3, "MUG@berlin": 1})
    assert (room.shelf("MUG"), room.shelf("MUG@berlin")) == ((3, 3), (2, 1))


def test_a_product_named_twice_is_asked_for_once(room: Storeroom) -> None:
    order = room.told("order", None, Fill(pieces=(*pieces(MUG=2), *pieces(MUG=1))))

    assert room.lines(order) == {"MUG": 3}


def test_an_order_that_does_not_wait_gets_everything_or_nothing(room: Storeroom) -> None:
    assert room.refusal(MUG=6, POT=1).endswith("not in stock: MUG: 6 asked, 5 available")
    assert (room.shelf("MUG"), room.shelf("POT")) == ((3, 0), (1, 0))


def test_an_order_that_waits_gets_what_there_is_and_hears_what_is_missing(room: Storeroom) -> None:
    order = room.waits(MUG=7, POT=1)

    assert (room.state(order), room.lines(order)) == ("backordered", {"MUG": 3, "MUG@berlin": 2, "POT": 1})
    assert (room.missing(order), room.attention(order)) == ({"MUG": 2}, "waits for 2 MUG")


def test_an_order_that_may_wait_and_need_not_hears_nothing(room: Storeroom) -> None:
    order = room.waits(MUG=5)

    assert (room.state(order), room.attention(order)) == ("held", None)


def test_nobody_waits_for_what_is_no_longer_sold(room: Storeroom) -> None:
    room.told("product", "MUG", Discontinue())

    assert room.refusal(patient=True, MUG=1).endswith("no longer sold: MUG")


def test_a_paid_order_waits_even_for_that_until_a_person_looks(room: Storeroom) -> None:
    room.told("product", "MUG", Discontinue())
    order = room.told("order", None, Fill(pieces=pieces(MUG=1), patient=True, paid=True))

    assert (room.state(order), room.missing(order)) == ("partly_taken", {"MUG": 1})


def test_one_may_wait_for_what_is_frozen(room: Storeroom) -> None:
    room.told("stock", "POT", Freeze())
    order = room.waits(POT=1)
    room.told("stock", "POT", Unfreeze())

    assert (room.state(order), room.shelf("POT")) == ("held", (1, 1))


def test_only_orders_ask_for_reservations() -> None:
    assert all(not event.raised_by for event in machine.events.values())
    assert Role.CUSTOMER in machine.readers


# -- waiting in turn -----------------------------------------------------------------------------------------------


def test_pieces_that_arrive_go_to_those_who_wait_in_the_order_in_which_they_came(room: Storeroom) -> None:
    first, second, third = room.waits(MUG=7), room.waits(MUG=2), room.waits(MUG=1)
    room.receives("MUG", 3)

    assert [room.state(each) for each in (first, second, third)] == ["held", "backordered", "backordered"]
    assert [room.missing(each) for each in (first, second, third)] == [{}, {"MUG": 1}, {"MUG": 1}]
    assert [room.attention(each) for each in (first, second)] == [None, "waits for 1 more"]


def test_nobody_overtakes_those_who_wait(room: Storeroom) -> None:
    room.waits(MUG=6)
    room.told("stock", "MUG@berlin", Freeze())
    room.receives("MUG@berlin", 5)

    assert room.refusal(MUG=1).endswith("not in stock: MUG: 1 asked, others wait for 1")
    late = room.waits(MUG=1)
    assert (room.state(late), room.missing(late)) == ("backordered", {"MUG": 1})


def test_who_waits_for_one_product_does_not_hold_up_another(room: Storeroom) -> None:
    room.waits(MUG=6)

    assert room.state(room.filled(POT=1)) == "held"


@pytest.mark.parametrize("how", ["delivery elsewhere", "find", "put back", "brought back", "expired", "new location"])
def test_whatever_becomes_free_goes_to_whoever_waits(room: Storeroom, how: str) -> None:
    holder = room.paid(MUG=5) if how == "brought back" else room.filled(MUG=5)
    waiting = room.waits(MUG=1)
    match how:
        case "delivery elsewhere":
            room.receives("MUG@berlin", 1)
        case "find":
            room.told("stock", "MUG", Adjust(difference=1, reason="behind the shelf"))
        case "put back":
            room.puts_back(holder, MUG=1)
        case "brought back":
            room.brings_back(holder, MUG=1)
        case "expired":
            room.told("order", waiting, Keep())
            room.world.advance(HOUR / 2)
            room.told("order", waiting, Keep())
            room.world.advance(HOUR / 2)
        case "new location":
            room.opens("MUG", "rome", 1)

    assert (room.state(waiting), room.missing(waiting)) == ("held", {})


def test_many_who_wait_are_served_to_the_last(room: Storeroom) -> None:
    room.filled(MUG=5)
    orders = [room.waits(MUG=1) for _ in range(230)]
    room.receives("MUG", 229)
    room.settle()

    assert [room.state(each) for each in orders] == ["held"] * 229 + ["backordered"]
    assert (room.stock("MUG").waiting, room.stock("MUG").served) == (1, 229)


def test_those_who_gave_up_leave_no_gap(room: Storeroom) -> None:
    room.filled(MUG=5)
    orders = [room.waits(MUG=1) for _ in range(300)]
    for order in orders[:299]:
        room.told("order", order, PutBack())
    room.receives("MUG@berlin", 1)
    room.settle()

    assert (room.state(orders[-1]), room.stock("MUG").waiting) == ("held", 0)
    assert room.state(room.filled(POT=1)) == "held"


def test_what_was_given_back_of_many_products_goes_to_those_who_wait_for_each(room: Storeroom) -> None:
    skus = [f"S{number:02}" for number in range(60)]
    for sku in skus:
        room.sells(sku, 1)
    holder = room.filled(**dict.fromkeys(skus, 1))
    waiting = [room.waits(**{sku: 1}) for sku in skus]
    room.puts_back(holder)

    assert {room.state(each) for each in waiting} == {"held"}


# -- expiring ------------------------------------------------------------------------------------------------------


def test_what_is_not_paid_in_time_goes_back_and_the_order_hears_of_it(room: Storeroom) -> None:
    order = room.waits(MUG=6)
    room.world.advance(HOUR)

    assert (room.state(order), room.shelf("MUG"), room.stock("MUG").waiting) == ("expired", (3, 0), 0)
    assert room.attention(order) == f"{room.reservation(order).id} expired"


def test_what_is_kept_longer_expires_later(room: Storeroom) -> None:
    order = room.filled(MUG=1)
    room.world.advance(HOUR / 2)
    room.told("order", order, Keep())
    room.world.advance(HOUR * 3 / 4)
    assert room.state(order) == "held"

    room.world.advance(HOUR / 4)
    assert room.state(order) == "expired"


def test_pieces_that_arrive_do_not_make_it_last_longer(room: Storeroom) -> None:
    order = room.waits(MUG=6)
    room.world.advance(HOUR / 2)
    room.receives("MUG", 1)
    room.world.advance(HOUR / 2)

    assert room.state(order) == "expired"


# -- taking --------------------------------------------------------------------------------------------------------


def test_what_is_paid_leaves_the_stock_and_expires_no_more(room: Storeroom) -> None:
    order = room.paid(MUG=4)
    room.world.advance(WEEK)

    assert (room.state(order), room.lines(order, "taken")) == ("taken", {"MUG": 3, "MUG@berlin": 1})
    assert (room.shelf("MUG"), room.shelf("MUG@berlin")) == ((0, 0), (1, 0))


def test_a_paid_order_that_waits_takes_its_pieces_as_they_arrive(room: Storeroom) -> None:
    order = room.paid(patient=True, MUG=7)
    assert (room.state(order), room.shelf("MUG")) == ("partly_taken", (0, 0))

    room.receives("MUG", 1)
    assert (room.state(order), room.missing(order)) == ("partly_taken", {"MUG": 1})
    room.receives("MUG@berlin", 3)
    assert (room.state(order), room.shelf("MUG@berlin")) == ("taken", (2, 0))
    assert room.lines(order, "taken") == {"MUG": 4, "MUG@berlin": 3}


def test_the_shop_is_reminded_of_paid_orders_that_wait(room: Storeroom) -> None:
    room.world.advance(HOUR)
    order = room.paid(patient=True, MUG=6)
    room.world.advance(2 * WEEK)

    posts = [asked.call.arguments for asked in room.world.asked]
    assert posts == [PostMessage(text=f"Order {order} is paid and waits for pieces:\n• 1 of MUG, since 2026-01-05")] * 2
    room.receives("MUG", 1)
    room.world.advance(2 * WEEK)
    assert len(room.world.asked) == 2


def test_an_order_that_is_paid_takes_its_pieces_at_once(room: Storeroom) -> None:
    order = room.told("order", None, Fill(pieces=pieces(MUG=4), paid=True))
    room.world.advance(WEEK)

    assert (room.state(order), room.lines(order, "taken")) == ("taken", {"MUG": 3, "MUG@berlin": 1})
    assert (room.shelf("MUG"), room.shelf("MUG@berlin")) == ((0, 0), (1, 0))


def test_an_order_that_is_paid_may_wait_too(room: Storeroom) -> None:
    order = room.told("order", None, Fill(pieces=pieces(MUG=6), patient=True, paid=True))
    room.receives("MUG", 1)

    assert (room.state(order), room.lines(order, "taken")) == ("taken", {"MUG": 4, "MUG@berlin": 2})


@pytest.mark.parametrize(("paid", "until"), [(True, NOON), (False, None)])
def test_pieces_are_paid_or_kept_until_a_moment(paid: bool, until: datetime | None) -> None:
    with pytest.raises(ValidationError, match="say until when"):
        Hold(order="ord_1", customer="anna", pieces=pieces(MUG=1), paid=paid, until=until)


# -- more of them --------------------------------------------------------------------------------------------------


def test_more_pieces_are_kept_with_the_others(room: Storeroom) -> None:
    order = room.filled(MUG=3)
    room.told("order", order, Wish(pieces=pieces(MUG=1, POT=1)))

    assert (room.state(order), room.lines(order)) == ("held", {"MUG": 3, "MUG@berlin": 1, "POT": 1})


def test_more_pieces_of_a_paid_order_are_taken_at_once(room: Storeroom) -> None:
    order = room.paid(MUG=1)
    room.told("order", order, Wish(pieces=pieces(MUG=1)))

    assert (room.lines(order, "taken"), room.shelf("MUG")) == ({"MUG": 2}, (1, 0))


def test_more_pieces_that_are_not_there_are_refused_or_waited_for(room: Storeroom) -> None:
    order = room.filled(MUG=5)
    wanted = Wish(pieces=pieces(MUG=2))
    assert room.why("order", order, wanted).endswith("not in stock: MUG: 2 asked, 0 available")

    room.told("order", order, wanted.model_copy(update={"patient": True}))
    assert (room.state(order), room.missing(order), room.attention(order)) == (
        "backordered",
        {"MUG": 2},
        "waits for 2 MUG",
    )
    room.world.advance(HOUR)
    assert room.state(order) == "expired"


def test_a_paid_order_that_wants_more_than_there_is_waits_for_it(room: Storeroom) -> None:
    order = room.paid(MUG=5)
    room.told("order", order, Wish(pieces=pieces(MUG=1), patient=True))
    assert room.state(order) == "partly_taken"

    room.receives("MUG", 1)
    assert (room.state(order), room.lines(order, "taken")) == ("taken", {"MUG": 4, "MUG@berlin": 2})


def test_who_wants_more_stands_in_the_queue_anew_and_keeps_the_earlier_place(room: Storeroom) -> None:
    first = room.waits(MUG=6)
    second = room.waits(MUG=1)
    room.told("order", first, Wish(pieces=pieces(MUG=1), patient=True))
    room.receives("MUG", 2)
    assert (room.missing(first), room.state(second)) == ({"MUG": 1}, "held")

    room.receives("MUG", 1)
    assert room.state(first) == "held"


def test_who_wants_less_again_gives_up_the_later_place(room: Storeroom) -> None:
    first = room.waits(MUG=6)
    second = room.waits(MUG=1)
    room.told("order", first, Wish(pieces=pieces(MUG=2), patient=True))
    room.puts_back(first, MUG=2)
    room.receives("MUG", 1)

    assert (room.state(first), room.missing(second)) == ("held", {"MUG": 1})


# -- giving back ---------------------------------------------------------------------------------------------------


def test_everything_goes_back_where_it_came_from(room: Storeroom) -> None:
    order = room.paid(MUG=4)
    room.puts_back(order)

    assert room.state(order) == "released"
    assert (room.shelf("MUG"), room.shelf("MUG@berlin")) == ((3, 0), (2, 0))
    assert room.lines(order, "released") == {"MUG": 3, "MUG@berlin": 1}


def test_of_some_pieces_those_still_missing_are_given_up_first(room: Storeroom) -> None:
    order = room.waits(MUG=7)
    room.puts_back(order, MUG=1)
    assert (room.state(order), room.missing(order), room.stock("MUG").waiting) == ("backordered", {"MUG": 1}, 1)

    room.puts_back(order, MUG=2)
    assert (room.state(order), room.missing(order)) == ("held", {})
    assert (room.shelf("MUG"), room.shelf("MUG@berlin")) == ((3, 3), (2, 1))
    room.world.advance(HOUR)
    assert room.state(order) == "expired"


def test_who_gives_up_all_that_was_missing_of_a_paid_order_has_everything(room: Storeroom) -> None:
    order = room.paid(patient=True, MUG=7)
    room.puts_back(order, MUG=2)

    assert (room.state(order), room.lines(order, "taken")) == ("taken", {"MUG": 3, "MUG@berlin": 2})


def test_some_pieces_that_come_back_go_where_they_came_from(room: Storeroom) -> None:
    order = room.paid(MUG=5)
    room.brings_back(order, MUG=4)

    assert (room.state(order), room.lines(order, "taken")) == ("taken", {"MUG@berlin": 1})
    assert (room.shelf("MUG"), room.shelf("MUG@berlin")) == ((3, 0), (1, 0))


def test_for_pieces_that_came_back_others_may_be_sent(room: Storeroom) -> None:
    order = room.paid(MUG=2)
    room.brings_back(order, MUG=2)
    room.told("order", order, Wish(pieces=pieces(POT=1)))

    assert (room.state(order), room.lines(order, "taken")) == ("taken", {"POT": 1})


def test_pieces_that_come_back_go_to_whoever_waits_be_it_the_same_order(room: Storeroom) -> None:
    order = room.paid(patient=True, MUG=6)
    room.told("stock", "MUG", Freeze())
    room.brings_back(order, MUG=5)
    assert (room.state(order), room.missing(order)) == ("taken", {})

    assert room.lines(order, "taken") == {"MUG@berlin": 1}


def test_no_more_is_given_back_than_is_kept(room: Storeroom) -> None:
    order = room.waits(MUG=6)
    before = room.reservation(order).version

    assert room.why("order", order, PutBack(pieces=pieces(MUG=7, POT=1))).endswith(
        "refused 'release': MUG: 7 to give back, 6 kept; POT: 1 to give back, 0 kept"
    )
    assert room.reservation(order).version == before


def test_no_more_is_put_back_than_was_taken(room: Storeroom) -> None:
    order = room.paid(MUG=2)

    assert room.why("order", order, BringBack(pieces=pieces(MUG=3))).endswith(
        "refused 'restock': MUG: 3 to put back, 2 taken"
    )


def test_what_is_over_is_given_back_once(room: Storeroom) -> None:
    order = room.paid(MUG=2)
    room.puts_back(order)
    room.puts_back(order)

    assert room.shelf("MUG") == (3, 0)


def test_what_is_taken_is_taken_once(room: Storeroom) -> None:
    order = room.filled(MUG=2)
    room.told("order", order, Pay())
    room.world.given("reservation", room.reservation(order).id, machine.events["take"]())

    assert room.shelf("MUG") == (1, 0)
