"""CSV by itself: each value is read back, and no text is one that a spreadsheet calculates."""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, Text

from cyclesoft_async.bulksync.export.csv_format import write_csv
from tests.support.exports import CALCULATED, plain_text

TABLE = Table("notes", MetaData(), Column("note", Text))


def written(value: object) -> str:
    """Return the line of a row that has one value."""
    file = io.BytesIO()
    write_csv(file, TABLE, [[(value,)]])
    head, _, line = file.getvalue().decode().partition("\r\n")
    assert head == '"note"'
    assert line.endswith("\r\n")
    return line.removesuffix("\r\n")


@given(st.one_of(st.text(), st.builds("".join, st.tuples(st.sampled_from([*CALCULATED, "'"]), st.text()))))
@example("=1+1")
@example("'=1+1")
@example("''@x")
@example("'s-Hertogenbosch")
@example('a "b",\r\nc')
@example("")
def test_any_text_is_read_back_and_none_is_calculated(text: str) -> None:
    line = written(text)
    ((field,),) = csv.reader(io.StringIO(line, newline=""))
    assert not field.startswith(CALCULATED)
    assert plain_text(field) == text


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (None, ""),
        ("", '""'),
        ("'s-Hertogenbosch", '"\'s-Hertogenbosch"'),
        ("+31 6 12345678", '"\'+31 6 12345678"'),
        (True, "true"),
        (-5, "-5"),
        (Decimal("-0.50"), "-0.50"),
        (Decimal("1E+16"), "10000000000000000"),
        (date(2025, 7, 1), "2025-07-01"),
        (datetime(2025, 7, 1, 7, 30, tzinfo=UTC), "2025-07-01T07:30:00+00:00"),
    ],
)
def test_values_are_written_by_their_kind(value: object, line: str) -> None:
    assert written(value) == line
