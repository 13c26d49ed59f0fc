"""Goods: suppliers, articles and their stock, and the bikes in stock.

Vendor pages: "Stock info", "Stock list", "Stock objects", "Common" (Suppliers).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Final, NamedTuple

from cyclesoft_async.sandbox.orders.catalogue import BIKES, PARTS
from cyclesoft_async.sandbox.orders.places import STORES
from cyclesoft_async.sandbox.orders.schema import Line
from cyclesoft_async.sandbox.orders.seeded import mix

from .counter import CounterOrders
from .overlay import Overlay, Record

SUPPLIERS: Final = {
    101: "Groothandel Oost",
    102: "Juncker",
    103: "Kruitbosch",
    104: "Agu",
    105: "Accell NL",
    106: "Schwalbe Nederland",
    107: "Shimano Benelux",
    108: "Magura Benelux",
    109: "AXA Stenman",
    110: "KMC Europe",
    111: "Pon Dealer",
    112: "Rotterdam Parts",
}
"""Names of the suppliers by id."""
BRANDS: Final = dict(enumerate(dict.fromkeys(bike.brand for bike in BIKES), 201))
"""Names of the bike brands by id."""
STATUSES: Final = ("new", "new", "demo", "used", "rental", "expected")
_BRAND_IDS: Final = {name: id_ for id_, name in BRANDS.items()}
_FIRST_BARCODE: Final = 2_000_000_000_000
_ARTICLES: Final = 2_000
_IN_STOCK: Final = range(30_001, 30_121)
_SOLD_FROM: Final = 31_001
INSURED: Final = 40
"""One counter order in forty comes with an insured bike."""
_STOCKED: Final = date(2024, 11, 4)


class Article(NamedTuple):
    """An article that the stores sell. Its price is in cents, VAT included."""

    barcode: str
    description: str
    pos_group_id: int
    price_cents: int
    supplier_id: int

    @property
    def purchase_cents(self) -> int:
        """The purchase price in cents, without VAT."""
        return self.price_cents * 5 // 10


class Goods:
    """Finds articles and bikes in stock, and counts what is left.

    Args:
        counter: The counter orders, whose customers bought the bikes that are sold.
    """

    def __init__(self, counter: CounterOrders) -> None:
        self._counter = counter
        sold = range(_SOLD_FROM, _SOLD_FROM - (-counter.count // INSURED))
        self.bikes: Overlay = Overlay(_IN_STOCK, sold, make=self._bike)
        self.sold = sold
        self._taken: Counter[tuple[str, int]] = Counter()

    def articles(self) -> Iterator[Article]:
        """Yield all articles."""
        for barcode in PARTS:
            yield _of_part(barcode)
        for number in range(_ARTICLES):
            yield _made_up(number)

    def article(self, barcode: str) -> Article | None:
        """Return the article with this barcode."""
        if barcode in PARTS:
            return _of_part(barcode)
        number = int(barcode) - _FIRST_BARCODE if barcode.isdecimal() else -1
        return _made_up(number) if 0 <= number < _ARTICLES else None

    def stock(self, barcode: str, store_id: int) -> int:
        """Return the quantity of an article in a store."""
        initial = mix(int(barcode) * 8 + store_id) % 12
        return max(0, initial - self._taken[barcode, store_id])

    def sell(self, store_id: int, lines: Iterable[Line]) -> None:
        """Take the articles of these lines out of a store's stock."""
        for line in lines:
            if self.article(line["barcode"]):
                self._taken[line["barcode"], store_id] += line["quantity"]

    def set_stock(self, barcode: str, quantity: int) -> None:
        """Count the stock of an article in the first store."""
        store = STORES[0]
        self._taken[barcode, store] += self.stock(barcode, store) - quantity

    def bikes_like(self, barcode: str) -> Iterator[Record]:
        """Yield the bikes with this barcode that are not sold."""
        if not barcode.startswith("87199"):
            return
        for bike in self.bikes:
            if bike["object"]["barcode"] == barcode and not bike["status"]["is_sold"]:
                yield bike

    def counter_order_of(self, stock_object_id: int) -> Record:
        """Return the counter order of a sold bike."""
        return self._counter.order((stock_object_id - _SOLD_FROM) * INSURED)

    def _bike(self, stock_object_id: int) -> Record:
        is_sold = stock_object_id in self.sold
        order = self.counter_order_of(stock_object_id) if is_sold else None
        store = STORES[stock_object_id % len(STORES)] if order is None else order["store_id"]
        status = _status(stock_object_id, is_sold=is_sold)
        frame_prefix = BIKES[stock_object_id % len(BIKES)].frame_prefix
        return {
            "stock_object_id": stock_object_id,
            "store_id": store,
            "customer_id": None if order is None else order["customer_id"],
            "sales_order_id": None if order is None else order["sales_order_id"],
            "sales_transaction_number": None,
            "status": status,
            "object": {**_object(stock_object_id), "store_id": store, "is_demo": status["is_demo"]},
            "identification": {**_NO_NUMBERS, "frame_number": f"{frame_prefix}{stock_object_id:07}"},
            "images": [],
        }


def _status(stock_object_id: int, *, is_sold: bool) -> Record:
    kind = "sold" if is_sold else STATUSES[stock_object_id % len(STATUSES)]
    return {
        "available": kind not in {"sold", "expected"},
        "expected_at": _expected(stock_object_id) if kind == "expected" else None,
        "is_demo": kind == "demo",
        "is_used": kind == "used",
        "is_rental": kind == "rental",
        "is_sold": is_sold,
        "is_reserved": False,
        "km_age": 250 if kind in {"demo", "used", "rental"} else 0,
    }


def _object(stock_object_id: int) -> Record:
    """Return what a bike is, but for its store and its use."""
    number = stock_object_id % len(BIKES)
    bike = BIKES[number]
    price = 49_900 + mix(stock_object_id) % 60 * 5_000
    return {
        **_SAME_FOR_ALL_BIKES,
        "stock_object_id": stock_object_id,
        "barcode": f"87199{number:08}",
        "article_id": f"{bike.frame_prefix}{number:03}",
        "brand_name": bike.brand,
        "brand_id": _BRAND_IDS[bike.brand],
        "model_name": bike.model,
        "description_short": f"{bike.brand} {bike.model}",
        "description": f"{bike.brand} {bike.model}",
        "purchase_price_cents": price * 6 // 10,
        "sales_price_cents": price,
        "rrp_cents": price,
        "ecommerce_price_cents": price,
    }


_SAME_FOR_ALL_BIKES: Final[Record] = {
    "is_reserved": False,
    "object_reference": "",
    "article_main_group": 1,
    "article_group": "A",
    "article_sub_group": 1,
    "frame_type": "LAGE INSTAP",
    "model_year": 2024,
    "frame_height": 53,
    "frame_size_supplier": "",
    "wheel_size": 28,
    "customer_group": "DAMES",
    "frame_material": "ALUMINIUM",
    "color": "Zwart",
    "primary_color": "ZWART",
    "secondary_color": "",
    "type_brake_system_front": "",
    "brand_brake_system_front": "",
    "model_brake_system_front": "",
    "type_brake_system_rear": "",
    "brand_brake_system_rear": "",
    "model_brake_system_rear": "",
    "type_gear_system": "NAAF",
    "brand_gear_system": "SHIMANO",
    "model_gear_system": "NEXUS",
    "gear_count": 8,
    "ecommerce": True,
    "nett_weight_kg": 18.5,
    "gross_weight_kg": 0,
    "supplier_invoice_reference": "",
    "supplier_order_reference": "",
    "custom_variable_1": "",
    "custom_variable_2": "",
    "custom_variable_3": "",
    "custom_variable_4": "",
    "warranty_type": 0,
    "has_front_suspension": False,
    "front_suspension_brand": "",
    "front_suspension_model": "",
    "rear_suspension_brand": "",
    "rear_suspension_model": "",
}
_NO_NUMBERS: Final[Record] = dict.fromkeys(
    (
        "frame_number",
        "key_number",
        "key_number_2",
        "lock_number",
        "lock_number_2",
        "battery_number",
        "battery_number_2",
        "engine_number",
        "serial_number",
        "imei_number",
        "license_plate_number",
    ),
    "",
)


def stocked_at(stock_object_id: int) -> date:
    """Return the day on which a bike came into stock."""
    return _STOCKED + timedelta(days=stock_object_id % 50)


def _expected(stock_object_id: int) -> str:
    return (date(2026, 1, 5) + timedelta(days=7 * (stock_object_id % 20))).isoformat()


def _of_part(barcode: str) -> Article:
    part = PARTS[barcode]
    return Article(barcode, part.description, part.pos_group_id, part.cents, _supplier(int(barcode)))


def _made_up(number: int) -> Article:
    barcode = _FIRST_BARCODE + number
    price = 95 + mix(barcode) % 100 * 50
    return Article(str(barcode), f"Artikel {number:04}", 21, price, _supplier(barcode))


def _supplier(barcode: int) -> int:
    return min(SUPPLIERS) + barcode % len(SUPPLIERS)
