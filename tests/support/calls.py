"""How each documented endpoint of the typed sections is called. Adding an endpoint adds a line."""

from __future__ import annotations

from tests.support.calls_sales import SALES_CALLS
from tests.support.calls_workshop import WORKSHOP_CALLS

CALLS = WORKSHOP_CALLS | SALES_CALLS
