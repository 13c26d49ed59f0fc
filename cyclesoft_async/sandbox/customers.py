"""Customers of the sandbox: five for twelve orders. Vendor page: "Customers"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from aiohttp import web

from .lists import integer, page, read_object, write_texts
from .overlay import Overlay, Record
from .responses import bad_request, json_response, not_found
from .times import wall_text

_FIRST_NAMES: Final = (
    "Anna",
    "Bram",
    "Carla",
    "Daan",
    "Emma",
    "Finn",
    "Greet",
    "Hugo",
    "Iris",
    "Joost",
    "Kim",
)
_SURNAMES: Final = (
    "Jansen",
    "Bakker",
    "Visser",
    "Smit",
    "Meijer",
    "Mulder",
    "Bos",
    "Vos",
    "Peters",
    "Dekker",
)
_INSERTIONS: Final = ("", "", "", "van", "de", "van der")
_STREETS: Final = ("Dorpsstraat", "Kerkstraat", "Molenweg", "Stationsplein", "Raadhuisplein", "Julianalaan")
_TOWNS: Final = (("Utrecht", "3511AB"), ("Nistelrode", "5388GM"), ("Ede", "6711DD"), ("Zwolle", "8011PK"))
_TYPES: Final = (*["Klant"] * 12, "Zakelijk", "Zakelijk", "E-commerce", "Lease-rijder")
CUSTOMER_TYPES: Final = ("Klant", "Leverancier", "E-commerce", "Zakelijk", "Lease-rijder")
_TEXTS: Final = (
    "customer_type_name",
    "customer_reference",
    "postcode",
    "house_number",
    "house_number_postfix",
    "company_name",
    "attn",
    "title",
    "initials",
    "insertion",
    "first_name",
    "name",
    "street",
    "city",
    "country_code_iso_3166",
    "email",
    "vat_number",
    "coc_number",
)
_EXTRA_NUMBER: Final = "75189"
_CREATED: Final = "2023-01-03 12:30:44"


def make_customer(customer_id: int) -> Record:
    """Return the seeded customer with this id."""
    first_name = _FIRST_NAMES[customer_id % len(_FIRST_NAMES)]
    name = _SURNAMES[customer_id // 3 % len(_SURNAMES)]
    insertion = _INSERTIONS[customer_id // 7 % len(_INSERTIONS)]
    city, postcode = _TOWNS[customer_id % len(_TOWNS)]
    type_name = _TYPES[customer_id % len(_TYPES)]
    is_business = type_name == "Zakelijk"
    full_name = " ".join(part for part in (first_name, insertion, name) if part)
    numbers = {"mob": f"06-0000{customer_id % 10_000:04}", "tel": f"030-000{customer_id % 10_000:04}"}
    if customer_id % 8 == 0:
        numbers[_EXTRA_NUMBER] = f"06-0001{customer_id % 10_000:04}"
    return {
        "customer_id": customer_id,
        "customer_type_name": type_name,
        "customer_reference": "",
        "postcode": postcode,
        "house_number": str(customer_id % 120 + 1),
        "house_number_postfix": "",
        "company_name": f"{name} Fietsverhuur" if is_business else "",
        "attn": full_name if is_business else "",
        "title": "Dhr./Mevr. ",
        "initials": first_name[0],
        "insertion": insertion,
        "first_name": first_name,
        "name": name,
        "street": _STREETS[customer_id % len(_STREETS)],
        "city": city,
        "country_code_iso_3166": "NL",
        "email": f"klant{customer_id}@example.nl",
        "vat_number": "",
        "coc_number": "",
        "discount_percentage": 10 if is_business else 0,
        "datetime_created": _CREATED,
        "phone_numbers": [_number(customer_id, id_, number, full_name) for id_, number in numbers.items()],
    }


def _number(customer_id: int, id_: str, number: str, name: str) -> Record:
    return {"phone_number_id": id_, "customer_id": customer_id, "phone_number": number, "name": name}


class CustomersApi:
    """Endpoints of the vendor page "Customers"."""

    def __init__(self, customers: Overlay, *, page_size: int, clock: Callable[[], float]) -> None:
        self._customers = customers
        self._page_size = page_size
        self._clock = clock
        self._modified: dict[int, str] = {}

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        one = "/api/v1/customers/{customer_id:[0-9]{1,18}}.json"
        return [
            web.get("/api/v1/customers/find.json", self.find),
            web.get("/api/v1/customers/list.json", self.list),
            web.get(one, self.get),
            web.put(one, self.update),
            web.post("/api/v1/customers.json", self.create),
        ]

    async def get(self, request: web.Request) -> web.Response:
        """Get one customer."""
        return json_response(request, self._customer(request))

    async def list(self, request: web.Request) -> web.Response:
        """List customers, those changed since a time or all."""
        since = request.query.get("modified_since", "")
        ids = (id_ for id_ in self._customers.ids() if self._modified.get(id_, _CREATED) >= since)
        found, offset = page(request, ids, self._page_size)
        customers = list(map(self._customers.get, found))
        payload = {
            "error": False,
            "error_message": None,
            "customers": customers,
            "pagination": {"count": len(customers), "next_offset": offset},
        }
        return json_response(request, payload)

    async def find(self, request: web.Request) -> web.Response:
        """Find customers that match every criterion."""
        given = {name: value for name, value in request.query.items() if value}
        type_id = integer(request, "customer_type_id")
        found = [item for item in self._customers if _matches(item, given, type_id)]
        return json_response(request, found)

    async def create(self, request: web.Request) -> web.Response:
        """Create a customer."""
        given = await read_object(request)
        customer_id = self._customers.next_id()
        empty = dict.fromkeys(_TEXTS, "") | {"customer_type_name": "Klant", "country_code_iso_3166": "NL"}
        record: Record = {
            "customer_id": customer_id,
            **empty,
            "discount_percentage": 0,
            "datetime_created": self._now(),
            "phone_numbers": [_number(customer_id, id_, "", "") for id_ in ("mob", "tel")],
        }
        return self._save(request, record, given)

    async def update(self, request: web.Request) -> web.Response:
        """Change what the request names of a customer."""
        return self._save(request, self._customer(request), await read_object(request))

    def _save(self, request: web.Request, record: Record, given: Mapping[str, Any]) -> web.Response:
        write_texts(record, given, _TEXTS)
        discount = given.get("discount_percentage", record["discount_percentage"])
        if not isinstance(discount, int | float):
            raise bad_request("discount_percentage must be a number")
        record["discount_percentage"] = discount
        if "phone_numbers" in given:
            record["phone_numbers"] = _numbers(record, given["phone_numbers"])
        self._customers.save(record["customer_id"], record)
        self._modified[record["customer_id"]] = self._now()
        return json_response(request, record)

    def _customer(self, request: web.Request) -> Record:
        found = self._customers.find(int(request.match_info["customer_id"]))
        if found is None:
            raise not_found("Customer not found")
        return found

    def _now(self) -> str:
        return wall_text(self._clock())


def _numbers(record: Record, given: object) -> list[Record]:
    """Overlay the numbers that a request names over the known ones."""
    if not isinstance(given, list):
        raise bad_request("phone_numbers must be an array")
    numbers = {item["phone_number_id"]: item for item in record["phone_numbers"]}
    for found in cast("list[object]", given):
        item = cast("Record", found) if isinstance(found, dict) else {}
        id_ = str(item.get("phone_number_id") or "")
        if not id_:
            raise bad_request("phone_number_id is required")
        known = numbers.get(id_) or _number(record["customer_id"], id_, "", "")
        write_texts(known, item, ("phone_number", "name"))
        numbers[id_] = known
    return list(numbers.values())


def _matches(record: Record, given: Mapping[str, str], type_id: int | None) -> bool:
    if type_id is not None and record["customer_type_name"] != dict(enumerate(CUSTOMER_TYPES)).get(type_id):
        return False
    wanted = _digits(given.get("phone_number", ""))
    if wanted and all(_digits(item["phone_number"]) != wanted for item in record["phone_numbers"]):
        return False
    same = {
        "postal_code": "postcode",
        "housenumber": "house_number",
        "housenumber_postfix": "house_number_postfix",
        "email": "email",
        "country_code": "country_code_iso_3166",
    }
    if any(given[name].casefold() != record[of].casefold() for name, of in same.items() if name in given):
        return False
    words = given.get("query", "").casefold().split()
    names = " ".join(record[name] for name in ("first_name", "insertion", "name", "company_name")).casefold()
    return all(word in names for word in words)


def _digits(number: str) -> str:
    return "".join(filter(str.isdecimal, number))
