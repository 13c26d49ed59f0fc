"""Article data of the sandbox. Vendor page: "Article data"."""

from __future__ import annotations

from itertools import islice
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from .offset_pages import integer
from .orders.places import STORES
from .responses import bad_request, json_response, not_found
from .routing import scoped
from .stock import group_warnings, read_updates, skipped_fields
from .world.goods import SUPPLIERS, Article
from .world.overlay import Record
from .world.world import World

_HOST: Final = "https://s01.cyclesoftware.nl"
_MODIFIED: Final = "2024-12-13 08:00:00"
_WORDS: Final = {
    "article_main_group": {"1": ("Fietsen", "Bikes"), "2": ("O&A", "Parts and accessories")},
    "article_group": {"1A": ("Stadsfietsen", "City bikes"), "2I": ("Onderdelen", "Parts")},
    "article_sub_group": {"1A1": ("Stadsfietsen", "City bikes"), "2I1": ("Onderdelen", "Parts")},
}
_TREES: Final = {"bikes": "1", "articles": "2", "all-article-groups": ""}
_MODES: Final = ("update_or_create", "update_only", "create_only", "delete_if_no_stock")
_SUCCESSES: Final = {True: "partial", False: "success"}


class ArticleDataApi:
    """Endpoints of version 4 of the vendor page "Article data"."""

    def __init__(self, world: World, *, page_size: int) -> None:
        self._world = world
        self._page_size = page_size
        self._changed: dict[str, Record] = {}
        self._deleted: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        base = "/api/v4/articledata"
        reads = [
            web.get(f"{base}/entries.json", self.entries),
            web.get(f"{base}/properties.json", self.properties),
            web.get(f"{base}/codelist/tree/{{type}}.json", self.tree),
            web.get(f"{base}/codelist/{{name}}.json", self.codelist),
        ]
        writes = [web.patch("/api/v1/articles/batch/update.json", self.batch_update)]
        return [*scoped(reads, "e-commerce"), *scoped(writes, "resources")]

    async def entries(self, request: web.Request) -> web.Response:
        """List articles; the token of the next page is a part of its URL. There is no `error`."""
        since = integer(request, "modified_since") or 0
        barcode = request.query.get("barcode")
        first = integer(request, "token") or 0
        articles = (
            article
            for article in self._world.goods.articles()
            if barcode in {None, article.barcode} and article.barcode not in self._deleted
        )
        modified = int("".join(filter(str.isdecimal, _MODIFIED)))
        found = list(islice(articles, first, first + self._page_size + 1)) if since <= modified else []
        url = None
        if len(found) > self._page_size:
            query = {**request.query, "token": str(first + self._page_size)}
            url = f"{_HOST}{request.path}?{urlencode(query)}"
        rows = [self._entry(article) for article in found[: self._page_size]]
        return json_response(request, {"data": rows, "pagination": {"next_url": url}})

    async def properties(self, request: web.Request) -> web.Response:
        """Return the properties of articles by name."""
        data = {name: _property(310 + number, name) for number, name in enumerate(_WORDS)}
        return json_response(request, {"error": False, "error_message": None, "data": data})

    async def codelist(self, request: web.Request) -> web.Response:
        """Return one code list."""
        name = request.match_info["name"]
        if name not in _WORDS:
            raise not_found("Code list not found")
        data = [
            {
                "codelist": f"codelist:{name}",
                "code": code,
                "code_international": code,
                "description": _localized(name, code) | {"de": _WORDS[name][code][1]},
            }
            for code in _WORDS[name]
        ]
        return json_response(request, {"error": False, "error_message": None, "data": data})

    async def tree(self, request: web.Request) -> web.Response:
        """Return the article groups as a tree."""
        root = _TREES.get(request.match_info["type"])
        if root is None:
            raise not_found("Code list tree not found")
        data = [_node(0, code) for code in _WORDS["article_main_group"] if code.startswith(root)]
        return json_response(request, {"error": False, "error_message": None, "data": data})

    async def batch_update(self, request: web.Request) -> web.Response:
        """Change articles. An update that fails is a result with an error, under 200."""
        results = [self._update(update) for update in await read_updates(request)]
        return json_response(request, {"results": results})

    def _update(self, update: Record) -> Record:
        barcode, mode = str(update.get("barcode") or ""), update.get("update_mode", _MODES[0])
        article = self._world.goods.article(barcode)
        if not barcode or mode not in _MODES:
            raise bad_request("barcode is required, and update_mode must be a documented one")
        key = {"barcode": barcode}
        if article is None or mode == "create_only":
            problem = "bestaat niet" if article is None else "bestaat al"
            error = {"message": f"Artikel {barcode} {problem}"}
            return key | {"result": "error", "error": error, "skipped_fields": [], "warnings": []}
        if mode == "delete_if_no_stock" and not any(self._stock(barcode)):
            self._deleted.add(barcode)
        record = self._article(article)
        given = {name: value for name, value in update.items() if name not in {"barcode", "update_mode"}}
        skipped, warnings = skipped_fields(given, record), group_warnings(given)
        if warnings:
            skipped += [warning["field"] for warning in warnings]
        taken = {name: value for name, value in given.items() if name not in skipped}
        if "stock" in taken:
            self._world.goods.set_stock(barcode, taken["stock"])
        self._changed[barcode] = record | taken
        return key | {
            "result": _SUCCESSES[bool(skipped)],
            "article": record | taken,
            "skipped_fields": skipped,
            "warnings": warnings,
        }

    def _stock(self, barcode: str) -> list[int]:
        return [self._world.goods.stock(barcode, store) for store in STORES]

    def _article(self, article: Article) -> Record:
        return self._changed.get(article.barcode) or {
            "currency": "EUR",
            "store_id": STORES[0],
            "barcode": article.barcode,
            "brand_name": article.description.split()[0],
            "description_nl": article.description,
            "description_en": "",
            "description_fr": "",
            "pos_group_id": article.pos_group_id,
            "article_main_group": 2,
            "article_group": "I",
            "article_sub_group": 1,
            "pos_sales_price_cents": article.price_cents,
            "pos_promo_price_cents": 0,
            "pos_promo_price_from": None,
            "pos_promo_price_until": None,
            "purchase_price_cents": article.purchase_cents,
            "avg_purchase_price_cents": article.purchase_cents,
            "ecommerce": True,
            "ecommerce_price_cents": article.price_cents,
            "ecommerce_promo_price_cents": 0,
            "ecommerce_promo_price_from": None,
            "ecommerce_promo_price_until": None,
            "stock": self._world.goods.stock(article.barcode, STORES[0]),
            "max_stock": 12,
            "min_stock": 1,
            **{f"custom_variable_{number}": "" for number in range(1, 7)},
        }

    def _entry(self, article: Article) -> Record:
        record, stock = self._article(article), self._stock(article.barcode)
        return {
            "modified_at": _MODIFIED,
            "barcode": article.barcode,
            "pricing": {
                "currency": "EUR",
                "rrp_cents": article.price_cents,
                "pos_sales_price_cents": record["pos_sales_price_cents"],
                "ecommerce_price_cents": record["ecommerce_price_cents"],
                "purchase_price_cents": record["purchase_price_cents"],
                "pos_group_id": record["pos_group_id"],
                "vat_code": 2,
            },
            "suppliers": [_supplier(article)],
            "properties": {
                name: {
                    "type": f"codelist:{name}",
                    "values": [
                        {
                            "supplier_ids": [article.supplier_id],
                            "code": code,
                            "code_international": code,
                            "value": _localized(name, code),
                        }
                    ],
                }
                for name, code in (("article_main_group", "2"), ("article_group", "2I"))
            },
            "stock": {
                "available": any(stock),
                "stores": [
                    {
                        "store_id": store,
                        "stock_level": level,
                        "min_stock_level": record["min_stock"],
                        "max_stock_level": record["max_stock"],
                        "locations": [],
                    }
                    for store, level in zip(STORES, stock, strict=True)
                ],
            },
        }


def _supplier(article: Article) -> Record:
    return {
        "_id": int(article.barcode) % 10_000_000,
        "supplier_id": article.supplier_id,
        "supplier_name": SUPPLIERS[article.supplier_id],
        "article_id": article.barcode[-6:],
        "model_id": None,
        "parent_barcode": None,
        "currency": "EUR",
        "rrp_cents": article.price_cents,
        "purchase_price_cents": article.purchase_cents,
        "package": {"package_contents": 1, "min_order_quantity": 1, "order_unit": 1},
    }


def _property(property_id: int, name: str) -> Record:
    words = name.replace("_", " ")
    return {
        "property_id": property_id,
        "property_name": name,
        "data_type": f"codelist:{name}",
        "unit": None,
        "description": {"nl": words, "en": words, "fr": words},
        "example_value": next(iter(_WORDS[name])),
        "code_list": f"{_HOST}/api/v4/articledata/codelist/{name}.json",
    }


def _localized(name: str, code: str) -> Record:
    dutch, english = _WORDS[name][code]
    return {"nl": dutch, "en": english, "fr": english}


def _node(level: int, code: str) -> Record:
    """Return a node of the tree. The second level is labelled as the third, as in the vendor's example."""
    names = list(_WORDS)
    node: Record = {
        "property": names[min(2 * level, 2)],
        "code": code,
        "code_international": code,
        "description": _localized(names[level], code),
    }
    if level + 1 < len(names):
        node["sub_options"] = [
            _node(level + 1, below) for below in _WORDS[names[level + 1]] if below.startswith(code)
        ]
    return node
