"""Mails read well, in both forms, and no value gets out of its place."""

from datetime import UTC, date, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any, get_args

import pytest
from markupsafe import escape
from pydantic import ValidationError

from gateways import letters
from gateways.letters import compose
from statemachines.letters import (
    AnyTemplate,
    ApprovalDecided,
    ApprovalRequested,
    BasketItem,
    BasketReminder,
    Bestseller,
    DailyReport,
    DeliveryFailed,
    InspectedPieces,
    ItemsUnavailable,
    LowStock,
    MailLine,
    OrderCancelled,
    OrderConfirmed,
    OrderDelivered,
    OrderShipped,
    PaymentActionRequired,
    PaymentFailed,
    PaymentReminder,
    ProductReminder,
    RefundMade,
    RefundRefused,
    ReturnApproved,
    ReturnEnded,
    ReturnInspected,
    ReturnReceived,
    RewardEarned,
    StockLow,
    SubscriptionDisabled,
    Takings,
    Template,
    WeeklySummary,
)
from statemachines.messages import SendMail, mail
from statemachines.pieces import NamedPieces

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
TAKINGS = (Takings(currency="EUR", orders=3, revenue=5700, average=1900),)
RETURN: dict[str, Any] = {"order": "shop-1", "return_case": "ret_1"}
TWO_MUGS = (NamedPieces(number=1, sku="MUG-BLUE", name="Blue mug", quantity=2),)
FOUND = (
    InspectedPieces(name="Blue mug", accepted=2, damaged=1, refused=0, percent=50),
    InspectedPieces(name="Jug", accepted=0, damaged=0, refused=1, percent=100),
)
LINES = (MailLine(name="Blue mug", quantity=2, unit_price=450), MailLine(name="Jug", quantity=1, unit_price=1000))
PARCEL = (NamedPieces(number=1, quantity=2, sku="MUG-BLUE", name="Blue mug"),)

EXAMPLES: list[tuple[Template, str, list[str]]] = [
    (
        OrderConfirmed(order="ord_1", lines=LINES, total=1900, currency="EUR"),
        "Your order ord_1 is confirmed",
        ["Blue mug", "9.00 EUR", "Jug", "10.00 EUR", "19.00 EUR"],
    ),
    (
        PaymentFailed(order="ord_1", amount=1900, currency="EUR", reason="insufficient funds", tries_left=2),
        "The payment for your order ord_1 failed",
        ["19.00 EUR", "insufficient funds", "You can try again"],
    ),
    (
        PaymentFailed(order="ord_1", amount=1900, currency="EUR", reason="insufficient funds", tries_left=0),
        "The payment for your order ord_1 failed",
        ["The order is off. Nothing was taken"],
    ),
    (
        PaymentFailed(order="o", amount=1900, currency="EUR", reason="no funds", tries_left=0, others=1000),
        "The payment for your order o failed",
        ["The order is off. We see to the 10.00 EUR that you paid of it before."],
    ),
    (
        PaymentActionRequired(order="A-17", amount=1900, currency="EUR", url="https://bank.example/c?a=1&b=2"),
        "Confirm the payment for your order A-17",
        ["19.00 EUR", "https://bank.example/c?a=1", "do not confirm it"],
    ),
    (
        OrderShipped(order="ord_1", tracking="JD0146", tracking_url="https://carrier.example/t?a=1&b=2"),
        "Your order ord_1 is on its way",
        ["JD0146", "https://carrier.example/t?a=1"],
    ),
    (OrderShipped(order="ord_1"), "Your order ord_1 is on its way", ["left our house"]),
    (OrderShipped(order="ord_1", pieces=PARCEL), "Your order ord_1 is on its way", ["A parcel", "Blue mug"]),
    (OrderDelivered(order="ord_1", pieces=PARCEL), "Your order ord_1 was delivered", ["Blue mug", "tell us"]),
    (
        DeliveryFailed(outcome="lost", order="ord_1", pieces=PARCEL),
        "A parcel of your order ord_1 was lost",
        ["lost on its way", "Blue mug"],
    ),
    (
        DeliveryFailed(outcome="returned", order="ord_1", pieces=PARCEL),
        "A parcel of your order ord_1 came back to us",
        ["could not be delivered", "Blue mug"],
    ),
    (
        OrderCancelled(order="ord_1", reason="sold out", refund=1900, currency="EUR"),
        "Your order ord_1 is cancelled",
        ["sold out", "19.00 EUR"],
    ),
    (OrderCancelled(order="ord_1", refund=0, currency="EUR"), "Your order ord_1 is cancelled", ["is cancelled."]),
    (
        RefundMade(order="ord_1", amount=500, currency="JPY"),
        "Your refund for order ord_1",
        ["500 JPY"],
    ),
    (
        RefundRefused(order="ord_1", amount=500, currency="EUR", reason="the mug is broken"),
        "Your refund for order ord_1 is refused",
        ["5.00 EUR", "the mug is broken"],
    ),
    (
        ApprovalRequested(
            approval="apr_1",
            kind="expense",
            subject="E-14",
            amount=1900,
            currency="EUR",
            requested_by="ann",
            reason="a gift",
            expires_at=NOON,
        ),
        "expense E-14 waits for your approval",
        ["ann", "apr_1", "19.00 EUR", "a gift", "5 January 2026, 12:00 UTC"],
    ),
    (
        ApprovalRequested(
            occasion="reminder", approval="apr_1", kind="expense", subject="E-14", requested_by="ann", expires_at=NOON
        ),
        "expense E-14 still waits for your approval",
        ["ann", "apr_1"],
    ),
    (
        ApprovalRequested(
            occasion="escalation", approval="apr_1", kind="document", subject="D-1", requested_by="ann", expires_at=NOON
        ),
        "document D-1 was not decided in time",
        ["ann", "you may decide", "rejected by itself on 5 January 2026, 12:00 UTC"],
    ),
    (
        ApprovalRequested(occasion="delegation", approval="apr_1", kind="order", subject="ord_1", requested_by="ann"),
        "The vote on order ord_1 was handed to you",
        ["ann", "apr_1"],
    ),
    (
        ApprovalDecided(
            outcome="approved",
            approval="apr_1",
            kind="expense",
            subject="E-14",
            amount=1900,
            currency="EUR",
            reason="well spent",
        ),
        "Your expense E-14 is approved",
        ["apr_1", "19.00 EUR", "well spent"],
    ),
    (
        ApprovalDecided(
            outcome="rejected", approval="apr_1", kind="expense", subject="E-14", reason="nobody decided in time"
        ),
        "Your expense E-14 is rejected",
        ["nobody decided in time"],
    ),
    (
        ApprovalDecided(
            outcome="changes_requested",
            approval="apr_1",
            kind="expense",
            subject="E-14",
            reason="which hotel?",
            expires_at=NOON,
        ),
        "Your expense E-14 needs changes",
        ["which hotel?", "until 5 January 2026, 12:00 UTC"],
    ),
    (
        ApprovalDecided(outcome="expired", approval="apr_1", kind="expense", subject="E-14"),
        "Your expense E-14 was not changed in time",
        ["apr_1"],
    ),
    (
        PaymentReminder(order="ord_1", total=1900, currency="EUR", expires_at=NOON),
        "Your order ord_1 is not paid yet",
        ["19.00 EUR", "until 5 January 2026, 12:00 UTC"],
    ),
    (PaymentReminder(order="ord_1", total=1900, currency="EUR"), "Your order ord_1 is not paid yet", ["19.00 EUR"]),
    (
        ProductReminder(sku="MUG-BLUE", name="Blue mug"),
        "Still thinking about Blue mug?",
        ["You looked at", "MUG-BLUE", "would rather not be reminded"],
    ),
    (
        BasketReminder(items=(BasketItem(sku="MUG-BLUE", name="Blue mug", quantity=1),)),
        "You left something in your basket",
        ["not ordered:", "1 ", "Blue mug", "would rather not be reminded"],
    ),
    (
        BasketReminder(
            items=tuple(BasketItem(sku=sku, name=sku.title(), quantity=2) for sku in ("MUG", "JUG")), again=True
        ),
        "Your basket still waits for you",
        ["Mug", "Jug", "the last time", "would rather not be reminded"],
    ),
    (
        ItemsUnavailable(
            order="ord_1", items=(BasketItem(sku="MUG-BLUE", name="Blue mug", quantity=2),), answer_until=NOON
        ),
        "Part of your order ord_1 can't be delivered",
        ["2 x Blue mug", "5 January 2026, 12:00 UTC", "cancel it and give everything back"],
    ),
    (
        ItemsUnavailable(
            order="ord_1",
            items=(BasketItem(sku="MUG-BLUE", name="Blue mug", quantity=2),),
            answer_until=NOON,
            others_left=True,
        ),
        "Part of your order ord_1 can't be delivered",
        ["2 x Blue mug", "5 January 2026, 12:00 UTC", "The rest is on its way, or with you."],
    ),
    (
        ReturnApproved(**RETURN, pieces=TWO_MUGS, expires_at=NOON),
        "You can send back part of order shop-1",
        ["2 x Blue mug", "ret_1", "by 5 January 2026, 12:00 UTC"],
    ),
    (
        ReturnApproved(**RETURN, pieces=TWO_MUGS, label_follows=True, expires_at=NOON),
        "You can send back part of order shop-1",
        ["2 x Blue mug", "A label to print follows"],
    ),
    (
        ReturnApproved(
            **RETURN,
            occasion="label",
            pieces=TWO_MUGS,
            label_url="https://carrier.example/l.pdf",
            tracking="JD0146",
            expires_at=NOON,
        ),
        "The label for your return of order shop-1",
        ["Here is the label", "https://carrier.example/l.pdf", "JD0146"],
    ),
    (
        ReturnApproved(**RETURN, occasion="label", pieces=TWO_MUGS, expires_at=NOON),
        "The label for your return of order shop-1",
        ["The label comes to you by post."],
    ),
    (
        ReturnApproved(**RETURN, occasion="reminder", pieces=TWO_MUGS, expires_at=NOON),
        "We still wait for your return of order shop-1",
        ["2 x Blue mug", "by 5 January 2026, 12:00 UTC"],
    ),
    (ReturnReceived(**RETURN), "Your return of order shop-1 has arrived", ["ret_1"]),
    (
        ReturnInspected(**RETURN, outcome="refund", pieces=FOUND, amount=1250, currency="EUR", note="a chip"),
        "You get 12.50 EUR back for order shop-1",
        ["Blue mug", "2 in good order", "1 damaged, of which you get 50 % back", "1 not taken back", "a chip"],
    ),
    (
        ReturnInspected(**RETURN, outcome="refund_instead", pieces=FOUND, amount=1250, currency="EUR"),
        "You get 12.50 EUR back for order shop-1",
        ["nothing left to exchange it for", "instead"],
    ),
    (
        ReturnInspected(**RETURN, outcome="replacement", pieces=FOUND, currency="EUR"),
        "We send you a replacement for order shop-1",
        ["1 damaged", "the same again"],
    ),
    (
        ReturnInspected(**RETURN, outcome="nothing", pieces=FOUND, currency="EUR"),
        "Your return of order shop-1",
        ["There is nothing to give back for it."],
    ),
    (
        ReturnEnded(**RETURN, outcome="rejected", reason="worn"),
        "Your return of order shop-1 is rejected",
        ["We can't take back", "worn"],
    ),
    (
        ReturnEnded(**RETURN, outcome="cancelled"),
        "Your return of order shop-1 is cancelled",
        ["Please don't send it."],
    ),
    (
        ReturnEnded(**RETURN, outcome="expired"),
        "It is too late for your return of order shop-1",
        ["have not sent it in time"],
    ),
    (
        ReturnEnded(**RETURN, outcome="lost"),
        "Your return of order shop-1 has not arrived",
        ["no longer expect it", "ret_1"],
    ),
    (RewardEarned(code="THANKS-AB12"), "A reward for you", ["THANKS-AB12"]),
    (
        StockLow(products=(LowStock(sku="MUG-BLUE", name="Blue mug", available=2, reorder_level=5),)),
        "MUG-BLUE running out",
        ["Blue mug", "anew at 5"],
    ),
    (
        StockLow(
            products=tuple(LowStock(sku=f"MUG-{n}", name=f"Mug {n}", available=n, reorder_level=5) for n in range(3))
        ),
        "MUG-0 and 2 more running out",
        ["Mug 0", "MUG-1", "Mug 2"],
    ),
    (
        DailyReport(day=date(2026, 1, 5), takings=TAKINGS, narrative="A quiet day.\n\nMugs went best."),
        "Sales of 5 January 2026",
        ["A quiet day.", "Mugs went best.", "57.00 EUR", "19.00 EUR"],
    ),
    (DailyReport(day=date(2026, 1, 5), takings=()), "Sales of 5 January 2026", ["No orders."]),
    (
        WeeklySummary(
            first_day=date(2026, 1, 5),
            last_day=date(2026, 1, 11),
            takings=TAKINGS,
            before=(Takings(currency="JPY", orders=2, revenue=900, average=450),),
            bestsellers=(Bestseller(sku="MUG-BLUE", quantity=12),),
            cancelled=4,
            waiting=1,
        ),
        "Sales from 5 January 2026 to 11 January 2026",
        ["57.00 EUR", "week before", "450 JPY", "MUG-BLUE", "12", "Cancelled orders: 4", "need a person: 1"],
    ),
    (
        SubscriptionDisabled(subscription="sub_1", host="erp.example", failing_since=NOON, reason="answered 500"),
        "Webhook subscription sub_1 was switched off",
        ["erp.example", "5 January 2026, 12:00 UTC", "answered 500"],
    ),
]


def composed(message: Template) -> EmailMessage:
    asked = SendMail.model_construct(to="ann@shop.example", message=message, reply_to=None)
    return compose(asked, "eff_1", "orders@shop.example", "Mug & Jug")


def parts(letter: EmailMessage) -> tuple[str, str]:
    """Return the plain text and the HTML."""
    plain, html = letter.iter_parts()
    return plain.get_content(), html.get_content()


@pytest.mark.parametrize(("message", "subject", "words"), EXAMPLES, ids=[each[0].template for each in EXAMPLES])
def test_a_mail_says_what_it_is_to_say_in_text_and_in_html(message: Template, subject: str, words: list[str]) -> None:
    letter = composed(message)
    assert letter["Subject"] == subject
    text, html = parts(letter)
    assert [word for word in words if word not in text] == []
    assert [word for word in words if word not in html] == []
    assert "\n\n\n" not in text
    assert text.endswith("\n\nMug & Jug\n")
    assert f"<title>{escape(subject)}</title>" in html
    assert "Mug &amp; Jug" in html


def test_every_template_has_its_files_and_an_example() -> None:
    union, _ = get_args(AnyTemplate)
    names = {each.model_fields["template"].default for each in get_args(union)}
    files = {file.stem for file in (Path(letters.__file__).parent / "templates").iterdir()} - {"layout", "takings"}
    assert names == files == {message.template for message, _, _ in EXAMPLES}


def test_a_value_is_text_and_never_markup() -> None:
    name = "<img src=x onerror=alert(1)> {{ 7*7 }}"
    message = StockLow(products=(LowStock(sku="MUG-BLUE", name=name, available=2, reorder_level=5),))
    text, html = parts(composed(message))
    assert "<img" in text
    assert "<img" not in html
    assert "&lt;img" in html
    assert "{{ 7*7 }}" in text


@pytest.mark.parametrize("url", ["javascript:alert(1)", 'https://x.example/" onclick="x', "https://x.example/\n", "x"])
def test_a_link_leads_to_the_web_or_nowhere(url: str) -> None:
    with pytest.raises(ValidationError):
        OrderShipped(order="ord_1", tracking_url=url)


def test_a_mail_is_known_again_by_its_message_id() -> None:
    first, again = (composed(OrderShipped(order="ord_1")) for _ in range(2))
    assert first["Message-ID"] == again["Message-ID"] == "<eff_1@shop.example>"


def test_a_mail_names_shop_customer_and_whom_to_answer() -> None:
    asked = mail("ann@shop.example", OrderShipped(order="ord_1"), reply_to="help@shop.example").arguments
    assert isinstance(asked, SendMail)
    letter = compose(asked, "eff_1", "orders@shop.example", "Mug, Jug & Söhne")
    assert letter["From"].addresses[0].display_name == "Mug, Jug & Söhne"
    assert letter["From"].addresses[0].addr_spec == "orders@shop.example"
    assert (letter["To"], letter["Reply-To"]) == ("ann@shop.example", "help@shop.example")
    assert letter["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize(
    "address",
    [
        "ann@shop.example\n",
        "ann@shop.example\r\nBcc: eve@evil.example",
        "ann@shop.example, eve@evil.example",
        "Ann <ann@shop.example>",
        "ann shop.example",
        "ann@-shop.example",
        "@shop.example",
        f"{'a' * 65}@shop.example",
        f"ann@{'a.' * 130}example",
        "",
    ],
)
@pytest.mark.parametrize("header", ["to", "reply_to"])
def test_what_is_no_single_address_is_refused(header: str, address: str) -> None:
    addresses = {"to": "ann@shop.example", header: address}
    with pytest.raises(ValidationError):
        SendMail(message=OrderShipped(order="ord_1"), **addresses)


def test_a_line_break_never_gets_into_a_subject() -> None:
    message = OrderShipped.model_construct(order="ord_1\r\nBcc: eve@evil.example", tracking=None, tracking_url=None)
    with pytest.raises(ValueError, match="linefeed"):
        composed(message)


def test_a_mail_with_a_value_missing_cannot_be_asked_for() -> None:
    with pytest.raises(ValidationError, match="total"):
        SendMail.model_validate(
            {"to": "ann@shop.example", "message": {"template": "payment_reminder", "order": "ord_1", "currency": "EUR"}}
        )
