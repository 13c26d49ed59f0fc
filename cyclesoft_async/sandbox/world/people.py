"""People: customers and employees, each a function of an id.

Vendor pages: "Customers", "Common".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Final

from cyclesoft_async.sandbox.orders import places
from cyclesoft_async.sandbox.orders.places import EMPLOYERS, LEASE_COMPANIES, STORES

from .overlay import Record

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
_COMPANY_NAMES: Final = {"Zakelijk": "Fietsverhuur", "Lease-maatschappij": "Lease", "Werkgever": "Techniek"}
CUSTOMER_TYPES: Final = (
    "Klant",
    "Leverancier",
    "E-commerce",
    "Zakelijk",
    "Lease-rijder",
    "Lease-maatschappij",
    "Werkgever",
)
_STAFF: Final = (
    "Sanne",
    "Tim",
    "Yusuf",
    "Lotte",
    "Ravi",
    "Mees",
    "Noor",
    "Piet",
    "Eva",
    "Sam",
    "Koen",
    "Fleur",
)
API_KEY: Final = "sandbox-api-key"
"""Key of the hashes of employees' codes. The code of an employee is 1000 plus the employee's id."""
CREATED: Final = "2023-01-03 12:30:44"
"""Time at which the seeded customers were created."""
_MECHANICS: Final = 3  # of each store
_WITHOUT_USERNAME, _INACTIVE = 2, 32


def mechanics_of(store_id: int) -> list[int]:
    """Return the ids of a store's mechanics."""
    return [10 * store_id + number for number in range(_MECHANICS)]


_MECHANIC_IDS: Final = [mechanic for store in STORES for mechanic in mechanics_of(store)]
EMPLOYEES: Final = dict(zip([*STORES, *_MECHANIC_IDS], _STAFF, strict=True))
"""Names of the staff by id: one at each store's counter, with the store's number, and three mechanics."""


def make_employee(employee_id: int) -> Record:
    """Return an employee of `EMPLOYEES`."""
    name = EMPLOYEES[employee_id]
    code = str(1000 + employee_id)
    is_mechanic = employee_id not in STORES
    return {
        "employee_id": employee_id,
        "employee_name": name,
        "sso_username": None if employee_id == _WITHOUT_USERNAME else f"{name.lower()}@example.nl",
        "verification_hash": hmac.new(API_KEY.encode(), code.encode(), hashlib.sha256).hexdigest(),
        "roles": ["mechanic" if is_mechanic else "employee"],
        "is_active": employee_id != _INACTIVE,
        "is_default": employee_id == STORES[0],
        "is_administrator": False,
        "avatar": None,
        "authorizations": ["MAY_PERFORM_CYCLE_COUNT"] if is_mechanic else ["MAY_DO_ANALYTICS"],
    }


def make_customer(customer_id: int) -> Record:
    """Return the seeded customer with this id."""
    first_name = _FIRST_NAMES[customer_id % len(_FIRST_NAMES)]
    name = _SURNAMES[customer_id // 3 % len(_SURNAMES)]
    insertion = _INSERTIONS[customer_id // 7 % len(_INSERTIONS)]
    city, postcode = _TOWNS[customer_id % len(_TOWNS)]
    type_name = _type_name(customer_id)
    company = _COMPANY_NAMES.get(type_name, "")
    whole_name = " ".join(part for part in (first_name, insertion, name) if part)
    numbers = {"mob": f"06-{customer_id:08}", "tel": f"030-{customer_id:07}"}
    if places.has_extra_number(customer_id):
        numbers[places.EXTRA_NUMBER] = f"06-01{customer_id:06}"
    return {
        "customer_id": customer_id,
        "customer_type_name": type_name,
        "customer_reference": "",
        "postcode": postcode,
        "house_number": str(customer_id % 120 + 1),
        "house_number_postfix": "",
        "company_name": f"{name} {company}" if company else "",
        "attn": whole_name if company else "",
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
        "discount_percentage": 10 if type_name == "Zakelijk" else 0,
        "datetime_created": CREATED,
        "phone_numbers": [phone_number(customer_id, id_, text, whole_name) for id_, text in numbers.items()],
    }


def candidates(known: Iterable[int], *, email: str, digits: str) -> Iterable[int]:
    """Return the known ids whose seeded customer may have this address and these digits; "" is any."""
    if email:
        found = re.fullmatch(r"klant(\d{1,9})@example\.nl", email, re.ASCII | re.IGNORECASE)
        return [int(found[1])] if found else []
    if digits:  # after 06, 030 or 0601
        return sorted({int(digits[start:] or 0) for start in (2, 3, 4)})
    return known


def phone_number(customer_id: int, phone_number_id: str, number: str, name: str) -> Record:
    """Return a telephone number of a customer."""
    return {
        "phone_number_id": phone_number_id,
        "customer_id": customer_id,
        "phone_number": number,
        "name": name,
    }


def full_name(customer: Record) -> str:
    """Return first name, insertion and name of a customer."""
    return " ".join(customer[part] for part in ("first_name", "insertion", "name") if customer[part])


def _type_name(customer_id: int) -> str:
    if customer_id in LEASE_COMPANIES:
        return "Lease-maatschappij"
    return "Werkgever" if customer_id in EMPLOYERS else _TYPES[customer_id % len(_TYPES)]
