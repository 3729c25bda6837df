"""TypeIDs: a typed prefix and a UUIDv7, sortable by creation.

Format: https://github.com/jetify-com/typeid (spec 0.3); UUIDv7: RFC 9562, section 5.7. The moment and the random bits
are passed in, so that a test or a replay makes the same ids every time.
"""

from datetime import UTC, datetime, timedelta
from random import Random

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_id(prefix: str, now: datetime, random: Random) -> str:
    """Return a new TypeID such as ``ord_01jd4k0v3xe9h8m2q5t7w9y1z3`` for the moment `now`."""
    return _id(prefix, now, random.getrandbits(74))


def first_id(prefix: str, moment: datetime) -> str:
    """Return the smallest TypeID that the moment can have: what was made earlier is smaller."""
    return _id(prefix, moment, 0)


def _id(prefix: str, moment: datetime, bits: int) -> str:
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
    number = milliseconds << 80 | 7 << 76 | (bits >> 62) << 64 | 2 << 62 | bits & (1 << 62) - 1
    return prefix + "_" + "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])
