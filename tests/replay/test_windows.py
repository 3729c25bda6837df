from collections.abc import Sequence

from orderly.replay.lines import Line
from orderly.replay.plan import make_plan
from orderly.replay.windows import waves, windows
from tests.replay.shop import line

SALE = line("500002", "01-04 09:00", 10)
LOST = line("500009", "01-04 15:00", -1, price="0.0", customer="")


def at_once(lines: Sequence[Line], moment: str) -> list[list[str]]:
    """Return the keys of the steps of one moment, wave by wave."""
    window = next(each for each in windows(make_plan(lines).steps) if f"{each.at:%m-%d %H:%M}" == moment)
    return [[step.key for step in wave] for wave in waves(window.steps)]


def test_what_happens_at_one_moment_is_one_window() -> None:
    cut = list(windows(make_plan([SALE, line("500004", "01-04 09:00", 1)]).steps))
    assert [(f"{each.at:%m-%d %H:%M}", len(each.steps)) for each in cut][:3] == [
        ("01-04 08:45", 1),
        ("01-04 09:00", 6),
        ("01-05 08:00", 2),
    ]
    assert cut[-1].end == sum(len(each.steps) for each in cut)


def test_a_window_holds_no_more_than_its_limit() -> None:
    assert [len(each.steps) for each in windows(make_plan([SALE]).steps, limit=2)] == [1, 2, 1, 1, 1, 1, 1]


def test_what_is_made_at_a_moment_is_asked_something_a_wave_later() -> None:
    assert at_once([SALE, line("C500003", "01-04 15:00", -4)], "01-04 15:00") == [
        ["500002/fulfill"],
        ["500002/deliver", "500002/complete", "C500003/request_return/500002"],
        [f"C500003/{event}/500002" for event in ("approve", "depart", "receive", "inspect")],
    ]


def test_orders_do_not_wait_for_each_other() -> None:
    other = line("500004", "01-04 15:00", 1)
    assert at_once([SALE, other, line("C500003", "01-04 15:00", -4)], "01-04 15:00")[0] == [
        "500002/fulfill",
        "500004/create",
        "500004/submit",
        "500004/pay",
    ]


def test_the_shelf_is_counted_after_what_came_back_at_that_moment() -> None:
    cut = at_once([SALE, line("C500003", "01-04 15:00", -4), LOST], "01-04 15:00")
    assert [f"500009/adjust/{LOST.number}" in wave for wave in cut] == [False, False, True]


def test_a_parcel_that_is_there_already_is_not_waited_for() -> None:
    assert at_once([SALE], "01-05 16:00") == [["500002/dispatch"]]
