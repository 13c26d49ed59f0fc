"""Dates like 31-01-2025 are read at the speed of others, and nothing else in the body changes."""

from __future__ import annotations

import json
from datetime import date, datetime

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from cyclesoft_async.transport import Response, dutch_dates, whole


class Row(Struct, frozen=True):
    booked: datetime | None = None
    day: date | None = None
    text: str | None = None


DAYS = st.dates(min_value=date(1900, 1, 1))
TIMES = st.datetimes(min_value=datetime(1900, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0)
)
TEXTS = st.one_of(
    st.text(),
    DAYS.map("{:%d-%m-%Y}".format),
    st.just('"booked": "31-01-2025"'),
    st.just('\\"day\\":"01-02-2025"'),
)
ROWS = st.lists(st.tuples(TIMES, DAYS, TEXTS), max_size=5)


@given(ROWS, st.sampled_from(((",", ":"), (", ", ": "))))
def test_they_are_read_as_the_lenient_pass_reads_them(
    rows: list[tuple[datetime, date, str]], separators: tuple[str, str]
) -> None:
    written = [
        {"booked": f"{booked:%d-%m-%Y %H:%M:%S}", "day": f"{day:%d-%m-%Y}", "text": text}
        for booked, day, text in rows
    ]
    body = json.dumps(written, separators=separators).encode()
    response = Response(status=200, headers={}, body=body)
    shape = whole(list[Row])
    expected = [Row(booked, day, text) for booked, day, text in rows]
    assert dutch_dates(shape, "booked", "day").read(response) == expected == shape.read(response)
