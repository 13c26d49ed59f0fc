"""Ids of customers, repair objects and stores, as functions of an order's place.

Twelve places belong to five customers with seven bikes of one store: some come once, some keep coming.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

GROUP: Final = 12
"""Places of a group of customers."""
FIRST_CUSTOMER: Final = 1_001
FIRST_OBJECT: Final = 10_001
LEASE_COMPANIES: Final = range(501, 505)
EMPLOYERS: Final = range(505, 509)
STORES: Final = (1, 2, 3)

_CUSTOMER_OF: Final = (0, 1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 4)
_OBJECT_OF: Final = (0, 1, 2, 2, 3, 3, 4, 5, 5, 5, 6, 6)
_OWNERS: Final = (0, 1, 2, 3, 3, 4, 4)  # of the seven objects
_CUSTOMERS, _OBJECTS = 5, 7
_LEASE: Final = 16  # one customer in sixteen leases
EXTRA_NUMBER: Final = "75189"
_EXTRA: Final = 8  # one customer in eight has an extra telephone number


def customers(count: int) -> range:
    """Return the ids of the customers of `count` places; a shop always has five."""
    return range(FIRST_CUSTOMER, FIRST_CUSTOMER + _CUSTOMERS * _groups(count))


def objects(count: int) -> range:
    """Return the ids of the repair objects of `count` places; a shop always has seven."""
    return range(FIRST_OBJECT, FIRST_OBJECT + _OBJECTS * _groups(count))


def customer_at(place: int) -> int:
    """Return the customer of a place."""
    return FIRST_CUSTOMER + place // GROUP * _CUSTOMERS + _CUSTOMER_OF[place % GROUP]


def object_at(place: int) -> int:
    """Return the repair object of a place."""
    return FIRST_OBJECT + place // GROUP * _OBJECTS + _OBJECT_OF[place % GROUP]


def store_at(place: int) -> int:
    """Return the store of a place."""
    return STORES[place // GROUP % len(STORES)]


def places_of_customer(customer_id: int) -> Iterator[int]:
    """Yield the places of a customer, ascending."""
    return _places(customer_id - FIRST_CUSTOMER, _CUSTOMERS, _CUSTOMER_OF)


def places_of_object(object_id: int) -> Iterator[int]:
    """Yield the places of a repair object, ascending."""
    return _places(object_id - FIRST_OBJECT, _OBJECTS, _OBJECT_OF)


def owner_of(object_id: int) -> int:
    """Return the customer of a repair object."""
    group, member = divmod(object_id - FIRST_OBJECT, _OBJECTS)
    return FIRST_CUSTOMER + group * _CUSTOMERS + _OWNERS[member]


def objects_of(customer_id: int) -> Iterator[int]:
    """Yield the repair objects of a customer, ascending."""
    group, member = divmod(customer_id - FIRST_CUSTOMER, _CUSTOMERS)
    return (
        FIRST_OBJECT + group * _OBJECTS + number for number, owner in enumerate(_OWNERS) if owner == member
    )


def store_of(customer_id: int) -> int:
    """Return the store that a customer goes to."""
    return STORES[(customer_id - FIRST_CUSTOMER) // _CUSTOMERS % len(STORES)]


def lease_company_of(customer_id: int) -> int | None:
    """Return the lease company that pays the parts of a customer's bikes; None if they are not leased."""
    if customer_id < FIRST_CUSTOMER or customer_id % _LEASE != _LEASE - 1:
        return None
    return LEASE_COMPANIES[customer_id // _LEASE % len(LEASE_COMPANIES)]


def has_extra_number(customer_id: int) -> bool:
    """Return True if a customer has a third telephone number, `EXTRA_NUMBER`."""
    return customer_id % _EXTRA == 0


def _groups(count: int) -> int:
    return max(1, -(-count // GROUP))


def _places(number: int, members: int, owners: tuple[int, ...]) -> Iterator[int]:
    group, member = divmod(number, members)
    return (group * GROUP + offset for offset, owner in enumerate(owners) if owner == member)
