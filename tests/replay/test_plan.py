from dataclasses import replace
from datetime import timedelta

import pytest

from orderly.replay.lines import BadFile
from orderly.replay.plan import make_plan
from orderly.replay.steps import Outcome
from statemachines.order import Create, RequestReturn
from statemachines.order import OrderPolicy as Policy
from statemachines.pieces import Pieces
from statemachines.product import Create as Open
from statemachines.returns.events import Inspect, Inspected
from statemachines.stock import Adjust
from tests.replay.shop import landed, line, story

SALE = line("500002", "01-04 09:00", 10)


def test_an_order_is_placed_with_its_invoice_and_then_goes_its_way() -> None:
    plan = make_plan([SALE])
    assert story(plan, "500002") == [
        "01-04 09:00 500002/create",
        "01-04 09:00 500002/submit",
        "01-04 09:00 500002/pay",
        "01-05 08:00 500002/ship",
        "01-05 16:00 500002/dispatch",
        "01-07 12:00 500002/deliver",
        "01-09 12:00 500002/complete",
    ]


def test_parcels_are_asked_for_what_happens_to_parcels() -> None:
    asked = {step.key: step.machine for step in make_plan([SALE]).steps if step.entity == "500002"}
    assert [key for key, machine in asked.items() if machine == "shipment"] == ["500002/dispatch", "500002/deliver"]


def test_the_carrier_does_not_come_on_a_sunday() -> None:
    plan = make_plan([line("500002", "01-09 09:00", 1)])
    assert "01-11 16:00 500002/dispatch" in story(plan, "500002")


def test_an_order_that_nobody_confirms_completes_by_itself_and_its_parcel_is_taken_to_have_arrived() -> None:
    plan = make_plan([line("500001", "01-04 09:00", 1)])
    assert story(plan, "500001")[-2:] == ["01-05 16:00 500001/dispatch", "01-19 16:00 500001/deliver"]


def test_an_order_never_waits_longer_for_its_customer_than_the_policy_says() -> None:
    plan = make_plan([SALE], policy=Policy(complete_after=timedelta(days=2)))
    assert story(plan, "500002")[-2:] == ["01-05 16:00 500002/dispatch", "01-07 16:00 500002/deliver"]


def test_moments_are_rounded_up_to_the_tick() -> None:
    plan = make_plan([line("500001", "01-04 09:01", 1)], tick=timedelta(minutes=15))
    assert story(plan, "500001")[0] == "01-04 09:15 500001/create"


def test_a_code_at_a_price_is_a_product_with_stock_for_all_its_sales() -> None:
    plan = make_plan([SALE, line("500004", "01-05 09:00", 3), line("500004", "01-05 09:00", 2, price="2.95")])
    products = [step.event for step in plan.steps if isinstance(step.event, Open)]
    assert [(product.sku, product.price, product.on_hand) for product in products] == [
        ("10001-250", 250, 13),
        ("10001-295", 295, 2),
    ]


def test_a_sale_without_a_customer_is_the_guests() -> None:
    plan = make_plan([line("500002", "01-04 09:00", 1, customer="")])
    order = next(step.event for step in plan.steps if step.key == "500002/create")
    assert isinstance(order, Create)
    assert order.customer == "guest"


def test_a_credit_of_a_whole_order_still_in_the_house_cancels_it() -> None:
    plan = make_plan([SALE, line("C500003", "01-04 15:00", -10)])
    assert story(plan, "500002")[-1] == "01-04 15:00 C500003/cancel/500002"
    assert landed(plan) == [(Outcome.SOLD, "", 10), (Outcome.CANCELLED, "", -10)]


def test_a_credit_of_a_whole_order_that_is_packed_cancels_it_with_its_parcel() -> None:
    plan = make_plan([SALE, line("C500003", "01-05 09:00", -10)])
    assert story(plan, "500002")[3:] == ["01-05 08:00 500002/ship", "01-05 09:00 C500003/cancel/500002"]


def test_a_credit_of_a_part_hurries_the_order_to_its_completion() -> None:
    plan = make_plan([SALE, line("C500003", "01-04 15:00", -4)])
    assert story(plan, "500002")[3:] == [
        "01-04 15:00 500002/fulfill",
        "01-04 15:00 500002/deliver",
        "01-04 15:00 500002/complete",
        *taken_back("01-04 15:00"),
    ]


def test_a_credit_of_a_part_hurries_the_parcel_that_is_packed() -> None:
    plan = make_plan([SALE, line("C500003", "01-05 09:00", -4)])
    assert story(plan, "500002")[3:] == [
        "01-05 08:00 500002/ship",
        "01-05 09:00 500002/dispatch",
        "01-05 09:00 500002/deliver",
        "01-05 09:00 500002/complete",
        *taken_back("01-05 09:00"),
    ]


@pytest.mark.parametrize(("at", "arrived"), [("01-06 15:00", "01-06 15:00"), ("01-08 15:00", "01-07 12:00")])
def test_a_credit_of_an_order_that_left_has_its_arrival_confirmed_first(at: str, arrived: str) -> None:
    plan = make_plan([SALE, line("C500003", at, -10)])
    assert story(plan, "500002")[4:] == [
        "01-05 16:00 500002/dispatch",
        f"{arrived} 500002/deliver",
        f"{at} 500002/complete",
        *taken_back(at),
    ]


def taken_back(at: str) -> list[str]:
    """Return what a plan has in mind for a credit note over pieces of order 500002."""
    events = ("request_return", "approve", "depart", "receive", "inspect")
    return [f"{at} C500003/{event}/500002" for event in events]


def test_every_piece_that_came_back_is_taken_as_sound() -> None:
    plan = make_plan([SALE, line("C500003", "01-20 15:00", -4)])
    asked, found = (
        next(step for step in plan.steps if isinstance(step.event, kind)) for kind in (RequestReturn, Inspect)
    )
    assert asked.event == RequestReturn(lines=(Pieces(number=1, quantity=4),), reason="credit note C500003")
    assert found.event == Inspect(lines=(Inspected(number=1, accepted=4),))
    assert (found.machine, found.reason) == ("return", "credit note C500003")


def test_credits_are_matched_first_in_first_out_and_may_split() -> None:
    second = line("500004", "01-11 09:00", 5)
    credit = line("C500005", "01-20 09:00", -12)
    plan = make_plan([SALE, second, credit])
    returns = {step.key: step.event for step in plan.steps if isinstance(step.event, RequestReturn)}
    assert [event.lines for event in returns.values()] == [
        (Pieces(number=1, quantity=10),),
        (Pieces(number=1, quantity=2),),
    ]
    parts = [part for part in plan.parts if part.line == credit.number]
    assert [(part.quantity, part.steps[0], part.steps[-1]) for part in parts] == [
        (-10, "C500005/request_return/500002", "C500005/inspect/500002"),
        (-2, "C500005/request_return/500004", "C500005/inspect/500004"),
    ]


def test_a_purchase_answers_for_a_credit_only_once() -> None:
    first, second = line("C500003", "01-20 09:00", -7), line("C500004", "01-21 09:00", -7)
    assert landed(make_plan([SALE, first, second]))[1:] == [
        (Outcome.RETURNED, "", -7),
        (Outcome.APART, "more returned than bought", -4),
        (Outcome.RETURNED, "", -3),
    ]


@pytest.mark.parametrize(
    ("credit", "reason"),
    [
        (line("C500003", "01-20 09:00", -1, "10002"), "credit for something never bought"),
        (line("C500003", "01-20 09:00", -1, customer="17002"), "credit for something never bought"),
        (line("C500003", "01-03 09:00", -1), "credit for something never bought"),
        (line("C500003", "01-20 09:00", -1, price="2.95"), "credit at a price never paid"),
        (line("C500003", "01-20 09:00", -1, customer=""), "credit without a customer"),
    ],
)
def test_a_credit_that_no_purchase_answers_for_is_set_apart(credit, reason: str) -> None:
    assert (Outcome.APART, reason, -1) in landed(make_plan([SALE, credit]))


def test_movements_go_to_the_price_last_asked_before_them() -> None:
    dearer = line("500004", "01-11 09:00", 5, price="2.95")
    lost = line("500005", "01-10 09:00", -3, price="0.0", customer="")
    found = line("500006", "01-12 09:00", 2, price="0.0", customer="")
    early = line("500001", "01-01 09:00", -1, price="0.0")
    plan = make_plan([SALE, dearer, lost, found, early])
    moved = {step.key.split("/")[0]: step.entity for step in plan.steps if isinstance(step.event, Adjust)}
    assert moved == {"500005": "10001-250", "500006": "10001-295", "500001": "10001-250"}
    assert {key: pieces for key, pieces in plan.openings.items() if pieces} == {
        "10001-250/open": 14,
        "10001-295/open": 5,
    }


def test_a_code_never_sold_has_an_empty_shelf() -> None:
    plan = make_plan([line("500005", "01-10 09:00", -3, price="0.0", customer="")])
    assert plan.openings == {"10001-0/open": 0}


def test_a_free_piece_for_a_customer_is_taken_off_the_shelf() -> None:
    plan = make_plan([SALE, line("500005", "01-10 09:00", 2, price="0.0")])
    assert next(step.event.difference for step in plan.steps if isinstance(step.event, Adjust)) == -2
    assert landed(plan)[1] == (Outcome.SHELF, "sample given away", 2)


def test_one_invoice_of_two_customers_is_no_invoice() -> None:
    with pytest.raises(BadFile, match="names two customers"):
        make_plan([SALE, line("500002", "01-04 09:00", 1, customer="17002")])


def test_an_invoice_longer_than_an_order_is_set_apart() -> None:
    plan = make_plan([line("500002", "01-04 09:00", 1) for _ in range(1001)])
    assert set(landed(plan)) == {(Outcome.APART, "more lines than an order may have", 1)}
    assert not plan.steps


def test_what_the_service_must_not_keep_is_not_told_to_it() -> None:
    lost = replace(line("500005", "01-10 09:00", -3, price="0.0"), description="paid with 4111 1111 1111 1111")
    events = [step.event for step in make_plan([lost]).steps]
    assert [getattr(event, "name", None) or getattr(event, "reason", None) for event in events] == [
        "10001",
        "written off",
    ]
