"""TypeIDs: sortable by creation, of a fixed format, with a typed prefix."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from statemachines.ids import first_id, new_id

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
moments = st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
prefixes = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)


def uuid_of(id_: str) -> uuid.UUID:
    number = 0
    for character in id_.rpartition("_")[2]:
        number = number * 32 + ALPHABET.index(character)
    return uuid.UUID(int=number)


@given(prefixes, moments, st.integers())
def test_an_id_is_a_typeid_with_its_prefix(prefix, now, seed):
    id_ = new_id(prefix, now, Random(seed))

    assert re.fullmatch(prefix + "_[0-7][0-9a-hjkmnp-tv-z]{25}", id_)


@given(moments, st.integers())
def test_an_id_holds_a_uuid_of_version_7_with_its_moment(now, seed):
    number = uuid_of(new_id("ord", now, Random(seed)))

    assert (number.version, number.variant) == (7, uuid.RFC_4122)
    assert number.int >> 80 == (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@given(moments, st.integers(1, 10**10), st.integers(), st.integers())
def test_a_later_id_sorts_after_an_earlier_one(now, milliseconds, seed, other_seed):
    earlier = new_id("ord", now, Random(seed))
    later = new_id("ord", now + timedelta(milliseconds=milliseconds), Random(other_seed))

    assert earlier < later


@given(moments, st.integers(1, 10**10), st.integers())
def test_the_first_id_of_a_moment_parts_what_was_made_before_from_the_rest(now, milliseconds, seed):
    earlier = new_id("ord", now - timedelta(milliseconds=milliseconds), Random(seed))

    assert earlier < first_id("ord", now) <= new_id("ord", now, Random(seed))


def test_ids_of_one_moment_differ():
    random, now = Random(7), datetime(2026, 3, 1, tzinfo=UTC)

    assert len({new_id("ord", now, random) for _ in range(10_000)}) == 10_000


def test_the_published_example_is_read_as_its_authors_read_it():
    assert uuid_of("prefix_01h455vb4pex5vsknk084sn02q") == uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")
