"""How this library makes the documented calls of sales, payments, comments, bookkeeping and stock."""

from __future__ import annotations

import json
from datetime import date

import msgspec

from cyclesoft_async import models
from cyclesoft_async.resources import (
    comments,
    labels,
    payments,
    sales_orders,
    salesdata,
    stock,
    stock_objects,
    vouchers,
)
from tests.support.documented import DOCUMENTED, Typed, request_model

_FIRST, _LAST = date(2022, 4, 1), date(2022, 5, 1)
_DAYS = {"start_date": "2022-04-01", "end_date": "2022-05-01"}
_BARCODES = ["4026495843614", "4026495843690", "4026495856010"]


def new_address() -> models.NewAddress:
    """The address of the vendor's example."""
    written = json.loads(DOCUMENTED["sales_orders.update_delivery_method"].example("request") or b"{}")
    return msgspec.convert(written["new_delivery_address"], models.NewAddress, strict=False)


def payment_inputs() -> list[models.PaymentInput]:
    """The payments of the vendor's example."""
    written = json.loads(DOCUMENTED["payments.add_to_order"].example("request") or b"{}")
    return msgspec.convert(written["payments"], list[models.PaymentInput])


def stock_updates() -> list[models.StockObjectUpdate]:
    """The updates of the vendor's example, but for a price that is no number and a field that is none."""
    written = json.loads(DOCUMENTED["stock_objects.batch_update"].example("request") or b"{}")
    for update in written["updates"]:
        update.pop("ecommerce_price_cents", None)
    return msgspec.convert(written["updates"], list[models.StockObjectUpdate])


SALES_CALLS: dict[str, Typed] = {
    "sales_orders.update_store": Typed(
        sales_orders.UPDATE_STORE,
        lambda cs: cs.sales_orders.update_store(
            1012, request_model("sales_orders.update_store", models.StoreTransfer)
        ),
        {},
        models.StoreTransferred,
        models.StoreTransfer,
    ),
    "sales_orders.update_delivery_method": Typed(
        sales_orders.UPDATE_DELIVERY_METHOD,
        lambda cs: cs.sales_orders.update_delivery_method(
            1012, new_delivery_method_id=3, new_delivery_address=new_address()
        ),
        {},
        models.DeliveryChanged,
    ),
    "sales_orders.cancel": Typed(
        sales_orders.CANCEL,
        lambda cs: cs.sales_orders.cancel(1012, 1, delete_exchange=True),
        {"cancellation_type_id": "1", "delete_exchange": "true"},
    ),
    "sales_orders.create_invoices": Typed(
        sales_orders.CREATE_INVOICES,
        lambda cs: cs.sales_orders.create_invoices(
            1012, employee_id=1005, order_status_id=9, book=True, customer_messages=True
        ),
        {},
        models.CreatedInvoice,
    ),
    "payments.order_link": Typed(
        payments.ORDER_LINK,
        lambda cs: cs.payments.order_link(
            1012, payment_amount_cents=10000, dynamic_payment_amount=False, payment_for_customer_id=10006
        ),
        {
            "payment_amount_cents": "10000",
            "dynamic_payment_amount": "0",
            "payment_for_customer_id": "10006",
        },
        models.PaymentLink,
    ),
    "payments.invoice_link": Typed(
        payments.INVOICE_LINK,
        lambda cs: cs.payments.invoice_link(
            20173382, dynamic_payment_amount=True, payment_for_customer_id=10006
        ),
        {"dynamic_payment_amount": "true", "payment_for_customer_id": "10006"},
        models.PaymentLink,
    ),
    "payments.add_to_order": Typed(
        payments.ADD_TO_ORDER,
        lambda cs: cs.payments.add_to_order(1012, 40899, payment_inputs()),
        {},
        models.AddedPayments,
    ),
    "payments.add_to_invoice": Typed(
        payments.ADD_TO_INVOICE,
        lambda cs: cs.payments.add_to_invoice(20173382, 40899, payment_inputs()),
        {},
        models.AddedPayments,
    ),
    "vouchers.get": Typed(
        vouchers.GET, lambda cs: cs.vouchers.get("1000-2000-3000-4000"), {}, models.Voucher
    ),
    "labels.get": Typed(labels.GET, lambda cs: cs.labels.get(7, 51208), {}, str),
    "labels.attach": Typed(
        labels.ATTACH, lambda cs: cs.labels.attach(7, 51208, ["Label new", "Label new2"]), {}, str
    ),
    "labels.detach": Typed(
        labels.DETACH, lambda cs: cs.labels.detach(7, 51208, ["Label 1", "Label new2"]), {}, str
    ),
    "comments.get": Typed(comments.GET, lambda cs: cs.comments.get(227445), {}, models.Comment),
    "comments.list_for_entity": Typed(
        comments.LIST_FOR_ENTITY, lambda cs: cs.comments.list_for_entity(7, 1006), {}, models.Comment
    ),
    "comments.list_for_customer": Typed(
        comments.LIST_FOR_CUSTOMER, lambda cs: cs.comments.list_for_customer(1006), {}, models.Comment
    ),
    "comments.create": Typed(
        comments.CREATE,
        lambda cs: cs.comments.create(request_model("comments.create", models.CommentCreate)),
        {},
        None,
        models.CommentCreate,
    ),
    "comments.update": Typed(
        comments.UPDATE,
        lambda cs: cs.comments.update(227445, request_model("comments.update", models.CommentUpdate)),
        {},
        None,
        models.CommentUpdate,
    ),
    "comments.delete": Typed(comments.DELETE, lambda cs: cs.comments.delete(227445)),
    "salesdata.transactions": Typed(
        salesdata.TRANSACTIONS,
        lambda cs: cs.salesdata.transactions(
            date_field="modified_at",
            date_start=_FIRST,
            date_end=_LAST,
            only_booked_transactions=True,
            store_id=1,
            dealer_ids=[1, 4807],
            sales_order_ids=[1000, 2000],
        ),
        {
            "date_field": "modified_at",
            "date_start": "2022-04-01",
            "date_end": "2022-05-01",
            "only_booked_transactions": "true",
            "store_id": "1",
            "dealer_ids": "1,4807",
            "sales_order_ids": "1000,2000",
        },
        models.Transaction,
    ),
    "salesdata.orders": Typed(
        salesdata.ORDERS,
        lambda cs: cs.salesdata.orders(_FIRST, _LAST, store_id=1, include_deleted=True),
        {
            "store_id": "1",
            "modified_start": "2022-04-01",
            "modified_end": "2022-05-01",
            "include_deleted": "1",
        },
        models.OrderRow,
    ),
    "salesdata.proforma": Typed(
        salesdata.PROFORMA, lambda cs: cs.salesdata.proforma(), {}, models.ProformaInvoice
    ),
    "salesdata.payments": Typed(
        salesdata.PAYMENTS, lambda cs: cs.salesdata.payments(_FIRST, _LAST), _DAYS, models.PaymentGroup
    ),
    "salesdata.insurances": Typed(
        salesdata.INSURANCES, lambda cs: cs.salesdata.insurances(_FIRST, _LAST), _DAYS, models.Insurance
    ),
    "stock.info": Typed(
        stock.INFO,
        lambda cs: cs.stock.info(
            _BARCODES, only_supplier_stock=True, only_supplier_id=12, remote_supplier_check=False
        ),
        {"only_supplier_stock": "1", "only_supplier_id": "12", "remote_supplier_check": "0"},
        models.StockInfo,
    ),
    "stock.pos_items": Typed(stock.POS_ITEMS, lambda cs: cs.stock.pos_items(), {}, models.PosItem),
    "stock_objects.get": Typed(
        stock_objects.GET, lambda cs: cs.stock_objects.get(26034), {}, models.StockObject
    ),
    "stock_objects.batch_update": Typed(
        stock_objects.BATCH_UPDATE,
        lambda cs: cs.stock_objects.batch_update(stock_updates()),
        {},
        models.StockObjectResult,
        models.StockObjectUpdate,
    ),
}
