"""Seeded orders: each a pure function of (seed, index), computed on demand.

Nothing is stored. A million orders cost no memory, and every page costs the same:

- The scheduled start never falls as the index rises, so a date range is a range of indices.
- An invertible map scatters the index over customers and bikes. The orders of a customer or bike are
  computed, not searched.
- Orders are done, at work or planned, from the oldest to the newest. A search for a status reads only the
  range where it can occur.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import chain, islice
from math import gcd
from typing import Final, NamedTuple

from . import places
from .catalogue import (
    ARTICLE,
    BIKES,
    JOBS,
    LINE_STATUSES,
    ORDER_STATUSES,
    Job,
    part_line,
    repair_line,
    work_minutes,
)
from .query import Filters, Key
from .schema import Line, Order

FIRST_ORDER: Final = 900_001
FIRST_INVOICE: Final = 20_000_000
_MOST_OBJECTS: Final = 1_000  # the vendor's documented maximum for an object_query

_OPENING, _SLOT, _SLOTS = 8 * 60 + 30, 15, 34  # minutes; the last slot is 16:45
_CLOCK: Final = tuple(f" {minute // 60:02}:{minute % 60:02}:00" for minute in range(24 * 60))
_LONGEST_LEAD: Final = 10  # working days between the call and the repair
_SUNDAY: Final = 6

_DONE, _CANCELLED = 8, 15
_STATUSES_DONE: Final = (*[_DONE] * 14, _CANCELLED, 16)
_STATUSES_AT_WORK: Final = (7, 7, 7, 7, 6, 6, 5, 3, 3, 9, 4, 4, 11, 12, 2, 2)
_STATUSES_PLANNED: Final = (1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 10, 10, 10, 13, 14, 14)
_DAYS_AT_WORK, _DAYS_PLANNED = 6, 8
_WAITING_FOR_ARTICLES: Final = 3
_ORDERED: Final = 1

_PHONES: Final = ("mob", "mob", "mob", "mob", "mob", "tel", "tel", places.EXTRA_NUMBER)
_BITS_64: Final = 0xFFFF_FFFF_FFFF_FFFF


class _Work(NamedTuple):
    """One or two jobs with their order lines."""

    description: str
    minutes: int
    lines: list[Line]


class SeededOrders:
    """`count` orders between two dates (both inclusive), in the order of their lists."""

    def __init__(self, *, count: int, seed: int, first_day: date, last_day: date) -> None:
        self.count = count
        self._seed = seed
        self._days = _working_days(first_day, last_day)
        self._open_days = len(self._days) - _LONGEST_LEAD
        self._works = _works()
        self._stride = _coprime(max(count, 1))
        self._back = pow(self._stride, -1, max(count, 1))
        self._shift = mix(seed) % max(count, 1)
        at_work = self._first_of(max(0, self._open_days - _DAYS_AT_WORK - _DAYS_PLANNED))
        self._planned = planned = self._first_of(max(0, self._open_days - _DAYS_PLANNED))
        self._phases = (
            (range(planned, count), _STATUSES_PLANNED),
            (range(at_work, planned), _STATUSES_AT_WORK),
            (range(at_work), _STATUSES_DONE),
        )

    def index_of(self, order_id: int) -> int | None:
        """Return the index of the order with this id; None if it is not seeded."""
        index = order_id - FIRST_ORDER
        return index if 0 <= index < self.count else None

    @property
    def next_id(self) -> int:
        """The first order id after these."""
        return FIRST_ORDER + self.count

    @property
    def customers(self) -> range:
        """Ids of the customers: those who have orders here, and the rest of the last group."""
        return places.customers(self.count)

    @property
    def objects(self) -> range:
        """Ids of the customers' repair objects."""
        return places.objects(self.count)

    def search(self, filters: Filters, objects: frozenset[int] | None, after: Key | None) -> Iterator[int]:
        """Yield, in order, the indices that match the filters and lie after the cursor.

        `objects` are ids of repair objects; None for all.
        """
        found = self._candidates(filters, objects)
        low, high = self._between(found, filters, after)
        for index in found[low:high]:
            place = self._place(index)
            if filters.customer_id is not None and places.customer_at(place) != filters.customer_id:
                continue
            if filters.store_id is not None and places.store_at(place) != filters.store_id:
                continue
            if (
                filters.status_ids is not None
                and self._status(index, self._dice(index)) not in filters.status_ids
            ):
                continue
            yield index

    def objects_matching(self, query: str) -> frozenset[int]:
        """Return the first thousand repair objects whose frame number, or brand and model, match."""
        words = query.casefold().split()
        frame = re.fullmatch(r"[a-z]{2}(\d{7,12})", query.strip().casefold(), re.ASCII)
        if frame and (found := int(frame[1])) in self.objects and frame_number(found).casefold() == frame[0]:
            return frozenset({found})
        models = {
            number
            for number, bike in enumerate(BIKES)
            if all(word in f"{bike.brand} {bike.model}".casefold() for word in words)
        }
        if not models:
            return frozenset()
        matching = (item for item in self.objects if item % len(BIKES) in models)
        return frozenset(islice(matching, _MOST_OBJECTS))

    def between(self, first: str, last: str) -> range:
        """Return the indices scheduled from one day to another, both inclusive."""
        everything = range(self.count)
        low = bisect_left(everything, first, key=self._date)
        return range(low, max(low, bisect_right(everything, last, key=self._date)))

    def modified_between(self, first: str, last: str) -> range:
        """Return the indices among which are all orders changed from one day to another.

        A seeded order is changed on the day of its repair or when it was placed, some working days before.
        """
        found = self.between(first, last)
        later = min(len(self._days), bisect_right(self._days, last) + _LONGEST_LEAD)
        return range(found.start, max(found.stop, self.between(first, self._days[later - 1]).stop))

    def of_customer(self, customer_id: int) -> list[int]:
        """Return the indices of a customer's orders."""
        return self._indices(places.places_of_customer(customer_id))

    def customer_of(self, index: int) -> int:
        """Return the customer of the order at this index."""
        return places.customer_at(self._place(index))

    def day_of(self, index: int) -> str:
        """Return the day on which the order at this index is planned."""
        return self._date(index)

    def is_done(self, index: int) -> bool:
        """Return True if the order at this index is done and invoiced."""
        return self._status(index, self._dice(index)) == _DONE

    def order_id(self, index: int) -> int:
        """Return the id of the order at this index."""
        return FIRST_ORDER + index

    def key(self, index: int) -> Key:
        """Return the order's sort key."""
        day, minute = self._moment(index)
        return self._days[day] + _CLOCK[minute], FIRST_ORDER + index

    def order(self, index: int) -> Order:
        """Return the order at this index in its initial state."""
        dice = self._dice(index)
        place = self._place(index)
        customer, store = places.customer_at(place), places.store_at(place)
        day, minute = self._moment(index)
        status = self._status(index, dice)
        work = self._works[(dice >> 4) % len(self._works)]
        extra = 15 if dice & 0x7000 == 0 else 0
        created = self._days[day - 1 - (dice >> 16) % _LONGEST_LEAD] + _CLOCK[_OPENING + (dice >> 20) % 480]
        finished = self._days[day] + _CLOCK[minute + work.minutes + extra]
        mechanic = 10 * store + (dice >> 30) % 3
        is_modified = index < self._planned and status != _CANCELLED
        payer = places.lease_company_of(customer) or customer
        invoice = FIRST_INVOICE + 2 * index if status == _DONE else 0
        return {
            "workshop_order_id": FIRST_ORDER + index,
            "sales_order_id": FIRST_ORDER + index,
            "customer_id": customer,
            "store_id": store,
            "repair_object_id": places.object_at(place),
            "is_active": status != _CANCELLED or dice & 0x8000 == 0,
            "reference_text": f"WB-{dice % 100_000:05}" if (dice >> 40) % 8 == 0 else "",
            "datetime_scheduled_start": self._days[day] + _CLOCK[minute],
            "datetime_scheduled_finished": finished,
            "datetime_created": created,
            "datetime_modified": finished if is_modified else created,
            "mechanic_employee_id": mechanic,
            "created_by_employee_id": store,
            "last_update_employee_id": mechanic if is_modified else store,
            "phone_number_id": _phone(customer, dice >> 43),
            "repair_description": work.description,
            "status_id": status,
            "status_text": ORDER_STATUSES[status],
            "invoice_number": invoice,
            "borrowed_object_reference": f"Leenfiets {dice % 12 + 1}" if (dice >> 46) % 32 == 0 else "",
            "total_repair_time_minutes": work.minutes + extra,
            "custom_repair_time_minutes": extra,
            "delivery_method_id": 0,
            "workshop_order_type_id": 1,
            "order_items": _order_lines(work.lines, customer, payer, invoice, status),
        }

    def _candidates(self, filters: Filters, objects: frozenset[int] | None) -> Sequence[int]:
        if objects is not None:
            return self._indices(chain.from_iterable(map(places.places_of_object, objects)))
        if filters.customer_id is not None:
            return self.of_customer(filters.customer_id)
        if filters.store_id is not None and filters.store_id not in places.STORES:
            return range(0)
        if filters.status_ids is None:
            return range(self.count)
        phases = [phase for phase, statuses in self._phases if not filters.status_ids.isdisjoint(statuses)]
        return range(phases[-1].start, phases[0].stop) if phases else range(0)

    def _between(self, found: Sequence[int], filters: Filters, after: Key | None) -> tuple[int, int]:
        low, high = 0, len(found)
        if filters.date_from is not None:
            low = bisect_left(found, filters.date_from, key=self._date)
        if filters.date_until is not None:
            high = bisect_right(found, filters.date_until, key=self._date)
        if after is not None:
            low = max(low, bisect_right(found, after, key=self.key))
        return low, max(low, high)

    def _first_of(self, day: int) -> int:
        return -(-day * self.count // self._open_days)

    def _date(self, index: int) -> str:
        return self._days[self._moment(index)[0]]

    def _moment(self, index: int) -> tuple[int, int]:
        """Return the position in `_days` and the minute of the day at which the order is planned."""
        day = index * self._open_days // self.count
        first = self._first_of(day)
        slot = (index - first) * _SLOTS // (self._first_of(day + 1) - first)
        return _LONGEST_LEAD + day, _OPENING + _SLOT * slot

    def _place(self, index: int) -> int:
        return (index * self._stride + self._shift) % self.count

    def _indices(self, found: Iterable[int]) -> list[int]:
        return sorted((place - self._shift) * self._back % self.count for place in found if self._has(place))

    def _has(self, place: int) -> bool:
        return 0 <= place < self.count

    def _dice(self, index: int) -> int:
        return mix(self._seed * 0x2545_F491_4F6C_DD1D + index)

    def _status(self, index: int, dice: int) -> int:
        statuses = next(statuses for phase, statuses in self._phases if index >= phase.start)
        return statuses[dice & 15]


def frame_number(object_id: int) -> str:
    """Return the frame number of a repair object."""
    return f"{BIKES[object_id % len(BIKES)].frame_prefix}{object_id:07}"


def _phone(customer: int, dice: int) -> str:
    """Draw one of the customer's telephone numbers."""
    drawn = _PHONES[dice % len(_PHONES)]
    return drawn if drawn != places.EXTRA_NUMBER or places.has_extra_number(customer) else _PHONES[0]


def _order_lines(lines: list[Line], customer: int, payer: int, invoice: int, status: int) -> list[Line]:
    """Return copies of the lines for an order. Another payer pays the parts, on a second invoice."""
    items: list[Line] = []
    for template in lines:
        line = template.copy()
        is_part = line["item_type_id"] == ARTICLE
        line["assigned_to_customer_id"] = payer if is_part else customer
        if invoice:
            line["invoice_number"] = invoice + (is_part and payer != customer)
        if is_part and status == _WAITING_FOR_ARTICLES:
            line["item_status_id"], line["item_status_text"] = _ORDERED, LINE_STATUSES[_ORDERED]
        items.append(line)
    return items


def _working_days(first_day: date, last_day: date) -> list[str]:
    """Return the shops' working days, preceded by the days on which the first orders were placed."""
    span = [first_day + timedelta(days=day) for day in range((last_day - first_day).days + 1)]
    working = [day for day in span if day.weekday() != _SUNDAY] or span
    earlier = [first_day - timedelta(days=day) for day in range(_LONGEST_LEAD, 0, -1)]
    return [day.isoformat() for day in earlier + working]


def _works() -> list[_Work]:
    """Return every job three times alone, and once combined with another."""
    works = [_work(job) for job in JOBS for _ in range(3)]
    return works + [_work(job, other) for job, other in zip(JOBS, JOBS[7:] + JOBS[:7], strict=True)]


def _work(*jobs: Job) -> _Work:
    lines: list[Line] = []
    for job in jobs:
        lines += [repair_line(len(lines) + number, code) for number, code in enumerate(job.codes, 1)]
        lines += [part_line(len(lines) + number, *part) for number, part in enumerate(job.parts, 1)]
    return _Work(", ".join(job.description for job in jobs), work_minutes(lines), lines)


def _coprime(count: int) -> int:
    """Return a stride coprime with `count`, so that it visits all places, neighbours far apart."""
    stride = int(count * 0.618) or 1
    while gcd(stride, count) != 1:
        stride += 1
    return stride


def mix(number: int) -> int:
    """Return 64 well-mixed bits for a number (the finalizer of splitmix64)."""
    number = (number + 1) * 0x9E37_79B9_7F4A_7C15 & _BITS_64
    number = (number ^ number >> 30) * 0xBF58_476D_1CE4_E5B9 & _BITS_64
    number = (number ^ number >> 27) * 0x94D0_49BB_1331_11EB & _BITS_64
    return number ^ number >> 31
