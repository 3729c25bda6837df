"""Sandboxes remember, but not for ever."""

from gateways.sent import LIMIT, Sent


def test_what_is_sent_twice_under_one_key_stands_there_once() -> None:
    sent: Sent[str] = Sent()
    sent.add("eff_1", "first")
    sent.add("eff_2", "second")
    sent.add("eff_1", "first")
    assert list(sent) == ["first", "second"]


def test_the_oldest_is_forgotten() -> None:
    sent: Sent[int] = Sent()
    for number in range(LIMIT + 5):
        sent.add(f"eff_{number}", number)
    assert len(sent) == LIMIT
    assert next(iter(sent)) == 5
