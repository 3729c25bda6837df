from dataclasses import fields, replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderly.replay.figures import Figures, Money, Pieces
from orderly.replay.kinds import Kind, kind, set_apart
from orderly.replay.lines import Line, read
from orderly.replay.plan import Plan, make_plan
from orderly.replay.report import Refusal, Report, make_report
from orderly.replay.steps import Outcome
from tests.replay.shop import INVOICES, line

LATE = Refusal("within_return_window", "completed 45 days ago; the return window is 30 days")


def bucket(report: Report, outcome: Outcome, reason: str = "") -> tuple[int, int, str]:
    found = next(each for each in report.buckets if (each.outcome, each.reason) == (outcome, reason))
    return found.lines, found.pieces, str(found.amount)


def test_a_refused_step_takes_its_lines_with_it_and_its_figures_out_of_the_reason() -> None:
    plan = make_plan([line("500002", "01-04 09:00", 10), line("C500003", "04-04 09:00", -10)])
    report = make_report(plan, {"C500003/request_return/500002": LATE}, Figures())
    kept = "within_return_window: completed N days ago; the return window is N days"
    assert bucket(report, Outcome.REFUSED, kept) == (1, -10, "-25.00")
    assert (
        next(b for b in report.buckets if b.reason == kept).example == f"C500003/request_return/500002: {LATE.reason}"
    )


def test_a_split_line_counts_once_and_its_pieces_where_they_went() -> None:
    plan = make_plan([line("500002", "01-04 09:00", 10), line("C500003", "01-20 09:00", -12)])
    report = make_report(plan, {}, Figures())
    assert bucket(report, Outcome.RETURNED) == (1, -10, "-25.00")
    assert bucket(report, Outcome.APART, "more returned than bought") == (0, -2, "-5.00")


@pytest.fixture
def plan() -> Plan:
    """One order of ten mugs of which four came back, and one that was called off."""
    return make_plan(
        [
            line("500002", "01-04 09:00", 10),
            line("C500003", "01-20 09:00", -4),
            line("500004", "01-04 09:00", 2, "10002"),
            line("C500005", "01-04 10:00", -2, "10002"),
        ]
    )


RIGHT = Figures(
    money={
        "GBP": Money(
            orders_taken=3000,
            payments_taken=3000,
            orders_given=1500,
            payments_given=1500,
            returns_given=1000,
            refunds_for_returns=1000,
            other_refunds=500,
        )
    },
    pieces=Pieces(on_hand=6, shipments_delivered=10, orders_delivered=10, returns_accepted=4, orders_returned=4),
    states={
        "orders": {"completed": 1, "cancelled": 1},
        "payments": {"captured": 2},
        "shipments": {"delivered": 1},
        "returns": {"refunded": 1},
        "refunds": {"succeeded": 2},
    },
)


def test_the_report_adds_up_if_every_table_says_what_the_file_says(plan: Plan) -> None:
    report = make_report(plan, {}, RIGHT)
    assert [check for check in report.checks if not check.holds] == []


@pytest.mark.parametrize("name", [each.name for each in fields(Money)])
def test_a_penny_too_much_in_any_table_is_noticed(plan: Plan, name: str) -> None:
    money = RIGHT.money["GBP"]
    wrong = replace(money, **{name: getattr(money, name) + 1})
    assert not make_report(plan, {}, replace(RIGHT, money={"GBP": wrong})).adds_up


@pytest.mark.parametrize("name", [each.name for each in fields(Money)])
def test_a_penny_in_another_currency_is_noticed(plan: Plan, name: str) -> None:
    report = make_report(plan, {}, replace(RIGHT, money={**RIGHT.money, "EUR": Money(**{name: 1})}))
    assert {check.name.rpartition(", ")[2] for check in report.checks if not check.holds} == {"EUR"}


@pytest.mark.parametrize("name", [each.name for each in fields(Pieces)])
def test_a_piece_too_many_anywhere_is_noticed(plan: Plan, name: str) -> None:
    wrong = replace(RIGHT.pieces, **{name: getattr(RIGHT.pieces, name) + 1})
    assert not make_report(plan, {}, replace(RIGHT, pieces=wrong)).adds_up


@pytest.mark.parametrize("plural", ["orders", "payments", "shipments", "returns", "refunds"])
def test_one_that_did_not_come_to_its_end_is_noticed(plan: Plan, plural: str) -> None:
    counts = RIGHT.states[plural]
    stuck = {**counts, next(iter(counts)): 0, "failed": 1}
    assert not make_report(plan, {}, replace(RIGHT, states={**RIGHT.states, plural: stuck})).adds_up


def test_an_order_that_could_not_be_paid_is_expected_in_no_other_table(plan: Plan) -> None:
    declined = Refusal("leaves_that_to_pay", "nothing is left to pay")
    refusals = dict.fromkeys(("500004/pay", "C500005/cancel/500004"), declined)
    pounds = replace(
        RIGHT.money["GBP"],
        orders_taken=2500,
        payments_taken=2500,
        orders_given=1000,
        payments_given=1000,
        other_refunds=0,
    )
    counts = {**RIGHT.states, "payments": {"captured": 1}, "refunds": {"succeeded": 1}}
    report = make_report(plan, refusals, replace(RIGHT, money={"GBP": pounds}, states=counts))
    assert [check for check in report.checks if not check.holds] == []


def test_the_file_made_by_hand_meets_every_rule() -> None:
    report = make_report(make_plan(read(INVOICES)), {}, Figures())
    assert {(each.outcome, each.reason): (each.lines, str(each.amount)) for each in report.buckets} == {
        (Outcome.SOLD, ""): (9, "88.15"),
        (Outcome.RETURNED, ""): (4, "-43.75"),
        (Outcome.CANCELLED, ""): (1, "-10.00"),
        (Outcome.SHELF, "found"): (1, "0.0"),
        (Outcome.SHELF, "sample given away"): (1, "0.0"),
        (Outcome.SHELF, "written off"): (3, "0.0"),
        (Outcome.APART, "bad debt"): (1, "-100.36"),
        (Outcome.APART, "credit at a price never paid"): (1, "-0.95"),
        (Outcome.APART, "credit for something never bought"): (1, "-12.0"),
        (Outcome.APART, "credit note over more pieces, not fewer"): (1, "0.85"),
        (Outcome.APART, "credit without a customer"): (1, "-2.5"),
        (Outcome.APART, "discount"): (1, "-3.5"),
        (Outcome.APART, "gift voucher"): (1, "17.02"),
        (Outcome.APART, "manual entry"): (1, "5.0"),
        (Outcome.APART, "more returned than bought"): (0, "-0.85"),
        (Outcome.APART, "postage or carriage"): (1, "18.0"),
        (Outcome.APART, "price below a penny"): (1, "0.001"),
        (Outcome.APART, "unknown code"): (1, "1.0"),
    }


@st.composite
def files(draw: st.DrawFn) -> list[Line]:
    """Draw a file of a few customers who buy and credit the same few articles over and over."""
    invoices = draw(st.lists(st.sampled_from([("", 1), ("", 1), ("C", -1), ("", -1), ("A", 1)]), max_size=25))
    return [
        line(
            f"{prefix}{500000 + number}",
            f"01-{draw(st.integers(1, 28)):02} 09:00",
            sign * draw(st.integers(0, 5)),
            draw(st.sampled_from(["10001", "10001", "10002", "POST"])),
            price=draw(st.sampled_from(["2.50", "2.50", "0.0", "0.001", "-1.00"])),
            customer="17001" if number % 3 else "",
        )
        for number, (prefix, sign) in enumerate(invoices)
        for _ in range(draw(st.integers(1, 3)))
    ]


@given(files(), st.data())
def test_every_line_every_piece_and_every_penny_is_accounted_for(lines: list[Line], data: st.DataObject) -> None:
    plan = make_plan(lines)
    keys = [step.key for step in plan.steps]
    assert len(set(keys)) == len(keys)
    refused = data.draw(st.sets(st.sampled_from(keys))) if keys else set()
    report = make_report(plan, dict.fromkeys(refused, LATE), Figures())
    assert sum(each.lines for each in report.buckets) == len(lines)
    assert sum(each.pieces for each in report.buckets) == sum(each.quantity for each in lines)
    assert sum((each.amount for each in report.buckets), Decimal()) == sum((each.amount for each in lines), Decimal())
    assert [check.holds for check in report.checks[:3]] == [True, True, True]


@given(files())
def test_no_more_comes_back_than_was_bought(lines: list[Line]) -> None:
    plan = make_plan(lines)
    sold = sum(part.quantity for part in plan.parts if part.outcome is Outcome.SOLD)
    back = -sum(part.quantity for part in plan.parts if part.outcome in (Outcome.RETURNED, Outcome.CANCELLED))
    assert 0 <= back <= sold
    credited = -sum(each.quantity for each in lines if not set_apart(each) and kind(each) is Kind.CREDIT)
    assert back <= credited


@given(files())
def test_the_same_file_makes_the_same_plan(lines: list[Line]) -> None:
    assert make_plan(lines).steps == make_plan(lines).steps
