"""Customers: get, list, find, create and update.

Vendor page: "Customers" (scope `resources`).
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TypeAlias

from cyclesoft_async._arguments import check_moment, check_type
from cyclesoft_async.errors import UsageError
from cyclesoft_async.models import Customer, CustomerCreate, CustomerUpdate
from cyclesoft_async.pagination import PageReader, Paginator, next_offset
from cyclesoft_async.transport import whole

from .resource import Endpoint, Listing, Look, Resource, with_look

CustomerList: TypeAlias = list[Customer]  # inside the class, `list` is the method

_ID = "customer_id"

GET = Endpoint(
    path="/api/v1/customers/{customer_id}.json", answer=whole(Customer, required=_ID), scope="resources"
)
FIND = Endpoint(
    path="/api/v1/customers/find.json", answer=whole(CustomerList, required=_ID), scope="resources"
)
LIST = Listing(
    path="/api/v1/customers/list.json",
    rows=PageReader(Customer, key="customers", follow=next_offset, required=_ID),
    scope="resources",
)
CREATE = Endpoint(
    method="POST",
    path="/api/v1/customers.json",
    answer=whole(Customer, required=_ID),
    scope="resources",
    how_to_check="look for the customer with find(email=...) before you repeat the call",
)
UPDATE = Endpoint(
    method="PUT",
    path="/api/v1/customers/{customer_id}.json",
    answer=whole(Customer, required=_ID),
    scope="resources",
    how_to_check="read the customer before you repeat the call",
)


class Customers(Resource):
    """Customers of the account. Every method can raise any `errors.RequestError`."""

    async def get(self, customer_id: int) -> Customer:
        """Return one customer.

        Args:
            customer_id: The customer.

        Raises:
            NotFoundError: There is no such customer.
        """
        return await self._fetch(GET, customer_id)

    def list(
        self, *, modified_since: datetime | None = None, cursor: str | None = None
    ) -> Paginator[Customer]:
        """List customers: all, or those that changed since a time.

        Args:
            modified_since: Aware time.
            cursor: `page.cursor` of an earlier page, to resume after it. It holds the filter: pass none.

        Raises:
            UsageError: The arguments do not go together. Raised at once, without a request.
        """
        query = {"modified_since": check_moment("modified_since", modified_since)}
        return self._pages(LIST, query=query, cursor=cursor)

    async def find(
        self,
        *,
        phone_number: str | None = None,
        postal_code: str | None = None,
        housenumber: str | None = None,
        housenumber_postfix: str | None = None,
        email: str | None = None,
        query: str | None = None,
        country_code: str | None = None,
        customer_type_id: int | None = None,
    ) -> CustomerList:
        """Find customers by what is known of them. The answer has no pages and can be large.

        Args:
            phone_number: Any of the customer's telephone numbers.
            postal_code: `Customer.postcode`.
            housenumber: `Customer.house_number`.
            housenumber_postfix: `Customer.house_number_postfix`.
            email: E-mail address.
            query: Free text, such as the name.
            country_code: `Customer.country_code_iso_3166`.
            customer_type_id: Id of enum `customer_types`.

        Raises:
            UsageError: No criterion is given: the server would return every customer.
        """
        criteria = {
            "phone_number": phone_number,
            "postal_code": postal_code,
            "housenumber": housenumber,
            "housenumber_postfix": housenumber_postfix,
            "email": email,
            "query": query,
            "country_code": country_code,
            "customer_type_id": customer_type_id,
        }
        if all(value is None or value == "" for value in criteria.values()):
            raise UsageError("find needs a criterion, such as email or phone_number")
        found = self._fetch(FIND, query=criteria)
        del criteria, phone_number, postal_code, housenumber, housenumber_postfix, email, query
        return await found

    async def create(self, customer: CustomerCreate) -> Customer:
        """Create a customer and return it as the server made it.

        Args:
            customer: The customer.

        Raises:
            UsageError: `customer` is not a `CustomerCreate`. Nothing was sent.
            AmbiguousWriteError: The customer may or may not have been created. The request is never repeated.
                Customers with the same e-mail address or telephone number are looked up, and are the error's
                `found` if that succeeds.
        """
        check_type("customer", customer, CustomerCreate)
        return await with_look(self._fetch(CREATE, json=customer), self._look_up(customer))

    def _look_up(self, wanted: CustomerCreate) -> Look | None:
        if wanted.email:
            return partial(self.find, email=wanted.email)
        numbers = wanted.phone_numbers if isinstance(wanted.phone_numbers, list) else []
        for number in numbers:
            if number.phone_number:
                return partial(self.find, phone_number=number.phone_number)
        return None

    async def update(self, customer_id: int, changes: CustomerUpdate) -> Customer:
        """Change a customer and return its new state.

        The vendor does not say whether an update is partial: what you set is sent, and nothing else.

        Args:
            customer_id: The customer.
            changes: Properties to change.

        Raises:
            UsageError: `changes` is not a `CustomerUpdate`. Nothing was sent.
            AmbiguousWriteError: The customer may or may not have been changed. The request is never repeated.
                The customer is read again, and is the error's `found` if that succeeds.
        """
        check_type("changes", changes, CustomerUpdate)
        return await with_look(self._fetch(UPDATE, customer_id, json=changes), lambda: self.get(customer_id))
