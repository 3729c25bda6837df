import gzip
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from orderly.replay.lines import COLUMNS, BadFile, fingerprint, read

HEADER = ",".join(COLUMNS) + "\n"
GOOD = "500001,10001a,RED MUG ,10,2010-06-01T09:00:00,2.5,17001,United Kingdom\n"


def lines_of(tmp_path: Path, text: str) -> list:
    path = tmp_path / "invoices.csv"
    path.write_text(text)
    return list(read(path))


def test_reads_a_line_with_its_number_in_the_file_and_its_moment_in_utc(tmp_path: Path) -> None:
    line = lines_of(tmp_path, HEADER + GOOD)[0]
    assert (line.number, line.invoice, line.code, line.description) == (2, "500001", "10001A", "RED MUG")
    assert line.moment == datetime(2010, 6, 1, 8, tzinfo=UTC)
    assert (line.price, line.amount) == (Decimal("2.5"), Decimal(25))


def test_reads_a_gzipped_file_like_a_plain_one(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.csv", tmp_path / "b.csv.gz"
    plain.write_text(HEADER + GOOD)
    packed.write_bytes(gzip.compress((HEADER + GOOD).encode()))
    assert list(read(plain)) == list(read(packed))
    assert fingerprint(plain) != fingerprint(packed)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the columns are missing"),
        ("a,b\n", "line 1: the columns are a, b"),
        (HEADER + "500001,10001\n", "line 2: 2 fields; expected 8"),
        (HEADER + GOOD + GOOD.replace("500001", "X1"), "line 3: 'X1' is no invoice"),
        (HEADER + GOOD.replace(",10,", ",1.5,"), "line 2: '1.5' is no quantity"),
        (HEADER + GOOD.replace("2.5", "2e5"), "line 2: '2e5' is no price"),
        (HEADER + GOOD.replace("2.5", "NaN"), "line 2: 'NaN' is no price"),
        (HEADER + GOOD.replace("2010-06-01T", "2010-13-01T"), "line 2: '2010-13-01T09:00:00' is no invoice_date"),
        (HEADER + GOOD.replace("17001", "Bob"), "line 2: 'Bob' is no customer_id"),
    ],
)
def test_refuses_what_it_cannot_take_at_its_word(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadFile) as refused:
        lines_of(tmp_path, text)
    assert message in str(refused.value)


def test_refuses_a_file_that_breaks_off(tmp_path: Path) -> None:
    path = tmp_path / "broken.csv.gz"
    path.write_bytes(gzip.compress((HEADER + GOOD * 50).encode())[:-12])
    with pytest.raises(BadFile):
        list(read(path))
