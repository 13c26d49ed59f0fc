"""Paths without what may name a person or a thing, fit for logs and traces."""

from __future__ import annotations

import re

__all__ = ["template_of"]

_VERSION = re.compile(r"(?:/app)?(?:/api)?(?:/v\d+)?(?=/|$)")

# The words of the documented paths, ours and the bridges'. Whatever else stands between two slashes, however
# much it looks like a word, may be a name, a barcode or an id.
_WORDS = """
    add articledata articleinfo articles assemblies attach authentication availability backlog batch
    bike-brands cancel close codelist comment comments common create create-invoices customers definition
    delivered delivered-items detach employees entries enum find get groups inbound insurance invoice
    invoices Invoices item items json keys labels leads list moped-brands not-delivered objects open-orders
    order orders Orders outbound packinglist packinglists payment-link payments platform pool-to-regular
    pos-items process-dropshipment proforma properties rental repair-codes repair-objects sales salesdata
    search send service-items stock stock-in-store-locator stock-objects stockinfo stores supplier
    supplierdata suppliers trading-hours trading-hours-per-store transactions tree update
    update-delivery-method update-store vouchers warehouse whm work_orders workshop workshop-order
"""
_KNOWN = frozenset(_WORDS.split())


def template_of(path: str) -> str:
    """The path with `{id}` for all but its known words: `/api/v1/customers/{id}/workshop-order/{id}.json`."""
    version = _VERSION.match(path)
    start = version.end() if version else 0
    return path[:start] + "/".join(map(_shown, path[start:].split("/")))


def _shown(segment: str) -> str:
    word = segment.removesuffix(".json")
    if not word or word in _KNOWN:
        return segment
    return "{id}" + segment[len(word) :]
