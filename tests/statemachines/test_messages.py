"""What may be sent to people, and to whom."""

import pytest
from pydantic import TypeAdapter, ValidationError

from statemachines.carrier import CarrierReference
from statemachines.commands import Call
from statemachines.letters import OrderShipped
from statemachines.messages import SEND_MAIL, PhoneNumber, SendMail, SendSms, mail
from statemachines.values import Paragraphs, Url


def test_a_mail_is_asked_for_by_address_and_template():
    asked = mail("ann@shop.example", OrderShipped(order="ord_1"), reply_to="help@shop.example")
    assert asked == Call(
        SEND_MAIL,
        SendMail(to="ann@shop.example", message=OrderShipped(order="ord_1"), reply_to="help@shop.example"),
    )


def test_a_mail_is_read_back_from_its_row_as_it_was_asked_for():
    asked = mail("ann@shop.example", OrderShipped(order="ord_1", tracking="JD0146")).arguments
    assert SendMail.model_validate(asked.model_dump(mode="json")) == asked


@pytest.mark.parametrize("number", ["+491701234567", "+12025550123", "+123456789012345"])
def test_a_telephone_number_is_international(number):
    assert SendSms(to=number, text="on its way").to == number


@pytest.mark.parametrize(
    "number",
    [
        "01701234567",
        "+01701234567",
        "+49 170 1234567",
        "+49170",
        "+1234567890123456",
        "+49170123456\n",
        "+٤٩١٧٠١٢٣٤٥٦٧",
    ],
)
def test_any_other_number_is_refused(number):
    with pytest.raises(ValidationError):
        TypeAdapter(PhoneNumber).validate_python(number)


@pytest.mark.parametrize("text", ["", "x" * 601, "a\x00b"])
def test_a_short_text_is_short_and_says_something(text):
    with pytest.raises(ValidationError):
        SendSms(to="+491701234567", text=text)


@pytest.mark.parametrize("reference", ["4000000000000002", "1Z 999-AA1/01", "JD014600006281230704"])
def test_a_tracking_number_may_look_like_a_card_number(reference):
    assert TypeAdapter(CarrierReference).validate_python(reference) == reference


@pytest.mark.parametrize("reference", ["", " x", "../x", "x\n", "x" * 101])
def test_a_tracking_number_is_one_short_line(reference):
    with pytest.raises(ValidationError):
        TypeAdapter(CarrierReference).validate_python(reference)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//x.example", "https://x.example/a b", 'https://x.example/"x'])
def test_a_link_is_an_address_of_the_web(url):
    with pytest.raises(ValidationError):
        TypeAdapter(Url).validate_python(url)


def test_figures_in_a_row_are_no_card_number_in_a_text_of_ours():
    assert TypeAdapter(Paragraphs).validate_python("2026-01-05 4000 0000 0000 0002\nEUR") != ""
