"""Payments and vouchers of the sandbox. Vendor pages: "Payments", "Vouchers"."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec
from aiohttp import web
from msgspec import Struct

from .offset_pages import integer
from .responses import bad_request, json_response, not_found
from .routing import ID, scoped
from .world.payments import INVOICE, METHODS, SALES_ORDER, VOUCHER, Payment
from .world.people import EMPLOYEES
from .world.world import World

# A PNG of one black pixel, where the vendor has a QR code.
_PIXEL: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010100000000376ef9240000000a49444154789c6360000000"
    "020001e221bc330000000049454e44ae426082"
)


_Amounts: TypeAlias = Callable[[int], tuple[int, int]]
"""Returns the total of an order or invoice, and what is paid of it."""


class _PaymentBody(Struct):
    payment_method_id: int
    payment_amount_cents: int
    voucher_code: str | None = None
    payment_for_customer_id: int | None = None


class _PaymentsBody(Struct):
    employee_id: int
    payments: list[_PaymentBody]


class PaymentsApi:
    """Endpoints of the vendor pages "Payments" and "Vouchers"."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._links = 0

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        payments = [
            web.get(f"/api/v1/payments/order/{{id:{ID}}}/payment-link.json", self.order_link),
            web.get(f"/api/v1/payments/invoice/{{id:{ID}}}/payment-link.json", self.invoice_link),
            web.post(f"/api/v1/payments/order/{{id:{ID}}}/add.json", self.add_to_order),
            web.post(f"/api/v1/payments/invoice/{{id:{ID}}}/add.json", self.add_to_invoice),
        ]
        vouchers = [web.get("/api/v1/vouchers/{code}.json", self.voucher)]
        return [*scoped(payments, "e-commerce"), *scoped(vouchers, "resources")]

    async def order_link(self, request: web.Request) -> web.Response:
        """Make a link to pay an order."""
        order = self._world.sales_order(int(request.match_info["id"]))
        total, paid = self._of_order(order["sales_order_id"])
        amount = integer(request, "payment_amount_cents")
        data = {
            "sales_order_id": order["sales_order_id"],
            "customer_id": order["customer_id"],
            "sales_transaction_number": None,
            "payment_link_amount_cents": total - paid if amount is None else amount,
        }
        return self._link(request, data, total, paid, is_dynamic=amount is None)

    async def invoice_link(self, request: web.Request) -> web.Response:
        """Make a link to pay an invoice."""
        invoice = self._world.invoice(int(request.match_info["id"]))
        unpaid = self._world.payments.unpaid_cents(invoice)
        data = {
            "sales_order_id": invoice.sales_order_id,
            "customer_id": invoice.customer_id,
            "sales_transaction_number": invoice.number,
            "payment_link_amount_cents": unpaid,
        }
        return self._link(request, data, invoice.total_cents, invoice.total_cents - unpaid, is_dynamic=True)

    async def add_to_order(self, request: web.Request) -> web.Response:
        """Book payments on an order."""
        order_id = int(request.match_info["id"])
        self._world.sales_order(order_id)
        return await self._add(request, SALES_ORDER, order_id, self._of_order)

    async def add_to_invoice(self, request: web.Request) -> web.Response:
        """Book payments on an invoice."""
        number = int(request.match_info["id"])
        self._world.invoice(number)
        return await self._add(request, INVOICE, number, self._of_invoice)

    async def voucher(self, request: web.Request) -> web.Response:
        """Get a voucher."""
        found = self._world.payments.voucher(request.match_info["code"])
        if found is None:
            raise not_found("Voucher not found")
        data = {
            "code": found.code,
            "type_id": 1,
            "type_description": "Waardebon",
            "is_active": found.balance_cents > 0,
            "amount_initial_cents": found.initial_cents,
            "amount_spent_cents": found.spent_cents,
            "amount_balance_cents": found.balance_cents,
        }
        return json_response(request, {"error": False, "error_message": None, "data": data})

    async def _add(
        self,
        request: web.Request,
        entity_type: int,
        entity_id: int,
        amounts: _Amounts,
    ) -> web.Response:
        try:
            body = msgspec.json.decode(await request.read(), type=_PaymentsBody)
        except msgspec.DecodeError as error:
            raise bad_request(str(error)) from error
        if body.employee_id not in EMPLOYEES:
            raise bad_request(f"Unknown employee: {body.employee_id}")
        if not body.payments:
            raise bad_request("payments is required")
        self._check(body.payments, entity_type)
        booked = [self._book(payment, entity_type, entity_id) for payment in body.payments]
        self._world.notices.payments_created(booked)
        if entity_type == INVOICE:
            self._world.notices.invoice_updated(self._world.invoice(entity_id))
        total, paid = amounts(entity_id)
        payload = {
            "error": False,
            "error_message": None,
            "payments": [
                {
                    "book_date": payment.at,
                    "payment_method_id": payment.method_id,
                    "payment_amount_cents": payment.amount_cents,
                    "payment_for_customer_id": payment.customer_id,
                }
                for payment in booked
            ],
            "total_amount_cents": total,
            "unpaid_amount_cents": total - paid,
        }
        return json_response(request, payload)

    def _check(self, payments: list[_PaymentBody], entity_type: int) -> None:
        """Refuse all of the payments if one is wrong."""
        spent: dict[str, int] = {}
        for payment in payments:
            if payment.payment_method_id not in METHODS:
                raise bad_request(f"Unknown payment method: {payment.payment_method_id}")
            payer = payment.payment_for_customer_id
            if payer is not None and payer not in self._world.customers:
                raise bad_request(f"Unknown customer: {payer}")
            if payment.payment_method_id != VOUCHER:
                continue
            if entity_type != SALES_ORDER:
                raise bad_request("Vouchers can only be used for orders")
            code = payment.voucher_code or ""
            spent[code] = spent.get(code, 0) + payment.payment_amount_cents
            found = self._world.payments.voucher(code)
            if found is None or found.balance_cents < spent[code]:
                raise bad_request("The voucher does not exist or its balance is too low")

    def _book(self, payment: _PaymentBody, entity_type: int, entity_id: int) -> Payment:
        if payment.voucher_code and payment.payment_method_id == VOUCHER:
            self._world.payments.spend(payment.voucher_code, payment.payment_amount_cents)
        return self._world.payments.add(
            entity_type,
            entity_id,
            payment.payment_method_id,
            payment.payment_amount_cents,
            payment.payment_for_customer_id,
        )

    def _of_order(self, sales_order_id: int) -> tuple[int, int]:
        """Return the total of an order, and what is paid of it."""
        lines = self._world.sales_order(sales_order_id)["order_items"]
        paid = sum(payment.amount_cents for payment in self._world.payments.of_order(sales_order_id))
        return sum(line["price_in_vat_cents"] for line in lines), paid

    def _of_invoice(self, number: int) -> tuple[int, int]:
        invoice = self._world.invoice(number)
        return invoice.total_cents, invoice.total_cents - self._world.payments.unpaid_cents(invoice)

    def _link(
        self, request: web.Request, data: dict[str, Any], total: int, paid: int, *, is_dynamic: bool
    ) -> web.Response:
        self._links += 1
        dynamic = is_dynamic and request.query.get("dynamic_payment_amount") in {"true", "1"}
        data |= {
            "payment_url": f"https://pay.example.nl/p/{self._links:06}",
            "total_amount_cents": total,
            "already_payed_cents": paid,
            "dynamic_payment_amount": dynamic,
            "qr_code": f"data:image/png;base64,{b64encode(_PIXEL).decode()}",
        }
        return json_response(request, {"error": False, "error_message": None, "data": data})
