"""Catalogue of the shops: repair codes, parts, jobs, bikes, VAT rates and the Dutch status texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from .schema import Line

ARTICLE: Final = 1
REPAIR_CODE: Final = 4
LABOUR: Final = 11
CANCELLED_LINE: Final = 5

VAT_PERCENTAGES: Final = {0: 0, 1: 9, 2: 21}

# The vendor documents only the text of 7. The others translate the constants of its deprecated client.
ORDER_STATUSES: Final = {
    1: "Wachten op fiets",
    2: "Wachten op reparatie",
    3: "Wachten op artikelen",
    4: "In reparatie",
    5: "Wachten op klant",
    6: "Wachten op factuur",
    7: "Reparatie voltooid",
    8: "Afgehandeld",
    9: "Wachten op leverancier",
    10: "Wachten op fiets (online)",
    11: "Wachten op verzekering",
    12: "Wachten op expert verzekering",
    13: "Ophalen bij klant",
    14: "Wachten op fiets leverancier",
    15: "Geannuleerd",
    16: "Afgewezen",
}

LINE_STATUSES: Final = {
    0: "Geen status",
    1: "Besteld",
    2: "Staat klaar",
    3: "Geleverd",
    4: "Afgehaald",
    5: "Geannuleerd",
}


class Bike(NamedTuple):
    """A model of bike. A repair object is one of these with a frame number."""

    brand: str
    model: str
    frame_prefix: str


BIKES: Final = (
    Bike("Gazelle", "Orange C7", "GZ"),
    Bike("Gazelle", "Ultimate C380 HMB", "GZ"),
    Bike("Gazelle", "Grenoble C8", "GZ"),
    Bike("Batavus", "Finez E-go Power", "BT"),
    Bike("Batavus", "Quip", "BT"),
    Bike("Sparta", "d-Rule M8Tb", "SP"),
    Bike("Koga", "E-Nova Evo", "KG"),
    Bike("Koga", "WorldTraveller", "KG"),
    Bike("Cortina", "U4 Transport", "CT"),
    Bike("Cortina", "E-Octa", "CT"),
    Bike("Union", "Lite", "UN"),
    Bike("Trek", "Verve+ 3", "TK"),
    Bike("Giant", "DailyTour E+", "GT"),
    Bike("Stella", "Vicenza", "ST"),
    Bike("VanMoof", "S3", "VM"),
    Bike("Urban Arrow", "Family", "UA"),
    Bike("Babboe", "Curve-E", "BB"),
    Bike("Brompton", "C Line", "BR"),
    Bike("Cube", "Kathmandu Hybrid", "CU"),
)


class Repair(NamedTuple):
    """A repair code: labour at a fixed price (cents, VAT included) and time (minutes)."""

    description: str
    cents: int
    minutes: int


REPAIRS: Final = {
    "102": Repair("In- en uitbouwen electromotor in- en uitbouwen accu", 9000, 60),
    "110": Repair("Lekke band plakken", 1695, 15),
    "120": Repair("Binnenband achter vervangen", 2495, 25),
    "121": Repair("Buitenband achter vervangen", 2795, 30),
    "122": Repair("Buitenband voor vervangen", 2195, 20),
    "200": Repair("Kleine beurt", 4995, 30),
    "201": Repair("Kleine beurt e-bike", 6495, 45),
    "202": Repair("Grote beurt", 9995, 75),
    "203": Repair("Grote beurt e-bike", 11995, 90),
    "310": Repair("Ketting en tandwiel vervangen", 3995, 40),
    "320": Repair("Versnelling afstellen", 1495, 15),
    "330": Repair("Remmen afstellen", 1295, 15),
    "331": Repair("Remblokken vervangen", 1895, 20),
    "332": Repair("Hydraulische rem ontluchten", 3495, 30),
    "410": Repair("Verlichting nakijken", 1295, 15),
    "420": Repair("Spaak vervangen en wiel richten", 3295, 35),
    "430": Repair("Trapas vervangen", 4495, 45),
    "500": Repair("Software-update e-bike", 1995, 15),
    "510": Repair("Accutest met rapport", 2950, 20),
    "999": Repair("Test Title", 12000, 60),
}


class Part(NamedTuple):
    """An article: its text, its group at the till and its price in cents, VAT included."""

    description: str
    pos_group_id: int
    cents: int


_TYRES, _PARTS = 5, 21

PARTS: Final = {
    "8714181234013": Part("Binnenband 28 inch Dunlopventiel", _TYRES, 795),
    "4026495710589": Part("Schwalbe Marathon Plus 28x1.75", _TYRES, 4495),
    "4026495670609": Part("Schwalbe Energizer Plus 47-622", _TYRES, 3995),
    "8713016015020": Part("Ketting KMC e1 EPT", _PARTS, 2995),
    "8715117020415": Part("Tandwiel 19T Nexus", _PARTS, 995),
    "4524667390619": Part("Remblokken Shimano B01S", _PARTS, 1295),
    "8715117022891": Part("Remblokken Magura HS11", _PARTS, 1495),
    "8717009361231": Part("AXA Compactline achterlicht", _PARTS, 1695),
    "8717009365819": Part("AXA Blueline 50 koplamp", _PARTS, 3995),
    "8715117099015": Part("Spaak 2.0 mm met nippel", _PARTS, 125),
    "4524667612391": Part("Trapas Shimano UN300", _PARTS, 2195),
    "8717009420013": Part("Kettingolie 100 ml", _PARTS, 795),
}


class Job(NamedTuple):
    """A typical repair: repair codes, and parts with their quantity and discount in percent."""

    description: str
    codes: tuple[str, ...]
    parts: tuple[tuple[str, int, int], ...] = ()


JOBS: Final = (
    Job("Achterband vervangen", ("121",), (("4026495710589", 1, 0), ("8714181234013", 1, 0))),
    Job("Voorband vervangen", ("122",), (("4026495670609", 1, 10),)),
    Job("Lekke achterband", ("120",), (("8714181234013", 1, 0),)),
    Job("Lekke band plakken", ("110",)),
    Job("Kleine beurt", ("200",), (("8717009420013", 1, 0),)),
    Job("Kleine beurt e-bike", ("201",), (("8717009420013", 1, 0),)),
    Job("Grote beurt", ("202",), (("8717009420013", 1, 100), ("4524667390619", 2, 0))),
    Job("Grote beurt e-bike", ("203", "500"), (("8713016015020", 1, 10),)),
    Job("Ketting slaat over", ("310",), (("8713016015020", 1, 0), ("8715117020415", 1, 0))),
    Job("Versnelling schakelt niet goed", ("320",)),
    Job("Remmen piepen, nakijken en afstellen", ("330",)),
    Job("Remblokken voor en achter vervangen", ("331",), (("4524667390619", 2, 0),)),
    Job("Hydraulische rem ontluchten", ("332",), (("8715117022891", 1, 0),)),
    Job("Achterlicht brandt niet", ("410",), (("8717009361231", 1, 0),)),
    Job("Koplamp vervangen", ("410",), (("8717009365819", 1, 15),)),
    Job("Slag in achterwiel, 2 spaken gebroken", ("420",), (("8715117099015", 2, 0),)),
    Job("Trapas kraakt", ("430",), (("4524667612391", 1, 0),)),
    Job("Motor valt uit, foutcode uitlezen", ("500", "102")),
    Job("Accu snel leeg, accutest", ("510",)),
)


def priced(line: Line) -> Line:
    """Compute the line's derived fields: price, VAT and status text."""
    price = line["unit_price_in_vat_cents"] - line["unit_discount_amount_in_vat_cents"]
    price *= line["quantity"]
    percentage = VAT_PERCENTAGES[line["vat_code"]]
    line["price_in_vat_cents"] = price
    line["vat_percentage"] = percentage
    line["vat_amount_cents"] = round(price * percentage / (100 + percentage))
    line["item_status_text"] = LINE_STATUSES[line["item_status_id"]]
    return line


def blank_line(item_id: int) -> Line:
    """Return a line with default values, keys in the order of the documents."""
    return {
        "item_id": item_id,
        "item_type_id": ARTICLE,
        "special_type_id": 0,
        "quantity": 1,
        "barcode": "",
        "pos_group_id": 0,
        "description": "",
        "unit_price_in_vat_cents": 0,
        "unit_discount_amount_in_vat_cents": 0,
        "price_in_vat_cents": 0,
        "discount_percentage": 0,
        "vat_code": 2,
        "vat_percentage": 0,
        "vat_amount_cents": 0,
        "item_status_id": 0,
        "item_status_text": "",
        "unit_work_time_minutes": 0,
    }


def repair_line(item_id: int, code: str) -> Line:
    """Return the line of a repair code. Labour on bikes has the low VAT rate."""
    repair = REPAIRS[code]
    line = blank_line(item_id)
    line["item_type_id"] = REPAIR_CODE
    line["barcode"] = code
    line["pos_group_id"] = 2
    line["description"] = repair.description
    line["unit_price_in_vat_cents"] = repair.cents
    line["vat_code"] = 1
    line["unit_work_time_minutes"] = repair.minutes
    return priced(line)


def service_line(item_id: int, item: Mapping[str, Any]) -> Line:
    """Return the line of a service item."""
    line = blank_line(item_id)
    line["item_type_id"] = LABOUR
    line["barcode"] = item["service_barcode"]
    line["pos_group_id"] = 2
    line["description"] = item["title"]
    line["unit_price_in_vat_cents"] = item["gross_unit_price_cents"]
    line["unit_discount_amount_in_vat_cents"] = item["unit_discount_amount_cents"]
    line["vat_code"] = 1
    line["unit_work_time_minutes"] = item["time_minutes"]
    return priced(line)


def part_line(item_id: int, barcode: str, quantity: int, discount: int) -> Line:
    """Return the line of a part, `discount` in percent."""
    part = PARTS[barcode]
    line = blank_line(item_id)
    line["quantity"] = quantity
    line["barcode"] = barcode
    line["pos_group_id"] = part.pos_group_id
    line["description"] = part.description
    line["unit_price_in_vat_cents"] = part.cents
    line["unit_discount_amount_in_vat_cents"] = round(part.cents * discount / 100)
    line["discount_percentage"] = discount
    return priced(line)


def work_minutes(lines: list[Line]) -> int:
    """Return the minutes of work in these lines. A cancelled line takes none."""
    return sum(
        line["unit_work_time_minutes"] * line["quantity"]
        for line in lines
        if line["item_status_id"] != CANCELLED_LINE
    )
