"""What may be written as an amount, a quantity, a text."""

from datetime import timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from statemachines.declaration import Policy
from statemachines.registry import MACHINES
from statemachines.values import (
    MAX_AMOUNT,
    Amount,
    Count,
    Currency,
    Difference,
    Name,
    PaymentToken,
    Quantity,
    Reference,
    Sku,
    Text,
    money,
)

NOT_WHOLE_NUMBERS = ['"1_000"', '"1000"', "true", "100.0", "1e3", "null", "[]", '"\u0661"', "NaN"]


def read(kind: object, json: str) -> object:
    return TypeAdapter(kind).validate_json(json)


@pytest.mark.parametrize("kind", [Amount, Quantity, Count, Difference])
@pytest.mark.parametrize("json", [*NOT_WHOLE_NUMBERS, str(2**63), str(-(2**63) - 1), str(MAX_AMOUNT + 1)])
def test_what_is_not_a_whole_number_in_range_is_refused(kind, json):
    with pytest.raises(ValidationError):
        read(kind, json)


@pytest.mark.parametrize(
    ("kind", "json"),
    [(Amount, "-1"), (Quantity, "0"), (Quantity, "-1"), (Count, "-1"), (Quantity, "1000001"), (Difference, "-1000001")],
)
def test_a_number_out_of_its_range_is_refused(kind, json):
    with pytest.raises(ValidationError):
        read(kind, json)


@pytest.mark.parametrize(
    ("kind", "json"),
    [
        (Amount, "0"),
        (Amount, str(MAX_AMOUNT)),
        (Quantity, "1"),
        (Quantity, "1000000"),
        (Count, "0"),
        (Difference, "-1000000"),
    ],
)
def test_a_number_at_the_edge_of_its_range_is_accepted(kind, json):
    assert read(kind, json) == int(json)


@pytest.mark.parametrize("kind", [Text, Name])
@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111",
        "my card is 4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111 1111 1111 1111 12/29 123",
        "3782 822463 10005",
        "\u0664" + "\u0661" * 15,
    ],
)
def test_a_card_number_is_never_stored(kind, text):
    with pytest.raises(ValidationError, match="must not hold a card number"):
        TypeAdapter(kind).validate_python(text)


@pytest.mark.parametrize("kind", [Reference, PaymentToken])
def test_a_card_number_is_no_reference_and_no_token(kind):
    for text in ("4111111111111111", "tok4111111111111111", "tok_4111-1111-1111-1111"):
        with pytest.raises(ValidationError):
            TypeAdapter(kind).validate_python(text)


@pytest.mark.parametrize("text", ["+49 30 1234567", "parcel JD014600003SE", "4111111111111112", "9" * 20])
def test_other_numbers_are_fine(text):
    assert TypeAdapter(Text).validate_python(text) == text


@pytest.mark.parametrize("kind", [Text, Name])
@pytest.mark.parametrize("text", ["a\0b", "\0", "bell\x07", "\ud800", ""])
def test_nul_and_other_unstorable_texts_are_refused(kind, text):
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(text)


@pytest.mark.parametrize("kind", [Sku, Reference, Currency, PaymentToken])
@pytest.mark.parametrize("text", ["", "a\0b", "EUR\n", " EUR", "é", "../x", "x" * 101])
def test_names_for_machines_are_plain(kind, text):
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(text)


def spans_of(policy: Policy) -> list[str]:
    return [name for name, value in policy if isinstance(value, timedelta)]


@pytest.mark.parametrize("span", ["-PT1S", "P3651D"])
@pytest.mark.parametrize("machine", [each for each in MACHINES if spans_of(each.policy)], ids=str)
def test_no_shop_can_choose_a_span_below_zero_or_beyond_the_calendar(machine, span):
    for name in spans_of(machine.policy):
        with pytest.raises(ValidationError, match=name):
            type(machine.policy).model_validate({name: span})


def test_texts_keep_their_lines_and_their_alphabet():
    assert TypeAdapter(Text).validate_python("Grüße,\n\t日本 🙂") == "Grüße,\n\t日本 🙂"


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1250, "EUR", "12.50 EUR"),
        (5, "EUR", "0.05 EUR"),
        (-1250, "EUR", "-12.50 EUR"),
        (1250, "JPY", "1250 JPY"),
        (1250, "KWD", "1.250 KWD"),
        (-5, "BHD", "-0.005 BHD"),
    ],
)
def test_money_is_written_as_its_currency_does(amount, currency, text):
    assert money(amount, currency) == text
