"""Models as Python objects: built, changed, compared, copied and dumped by their documented names."""

from __future__ import annotations

import ast
import copy
import inspect
import pickle
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, structs

from cyclesoft_async import models
from cyclesoft_async.codec.datetimes import AMSTERDAM, in_amsterdam
from cyclesoft_async.models import WorkshopOrder, WorkshopOrderItem
from tests.support.models import BRIDGES, MODELS, name_of

FIRST_PASS = datetime(2024, 10, 27, 2, 30, tzinfo=AMSTERDAM)
SECOND_PASS = FIRST_PASS.replace(fold=1)


PUBLIC: set[type[Struct]] = {
    models.ArticleSupplierPrice,
    models.EnumEntry,
    models.FieldWarning,
    models.Image,
    models.RepairCode,
    models.SoldArticle,
    models.StockFilter,
    models.StockInfo,
    models.StockObjectResult,
    models.StockedBike,
    models.StoreStock,
    models.StoreTradingDays,
    models.Supplier,
    models.TradingSpan,
    models.UpdateFailure,
}
"""Models without people's data."""
PERSONAL = [item for item in MODELS if item is not models.InvoiceDocument and item not in PUBLIC]


def order(**given: Any) -> WorkshopOrder:
    return WorkshopOrder(
        workshop_order_id=1,
        repair_description="canary",
        order_items=[WorkshopOrderItem(item_id=2, quantity=Decimal("1.50"))],
        **given,
    )


def dumped(made: WorkshopOrder) -> WorkshopOrder:
    return msgspec.json.decode(msgspec.json.encode(made), type=WorkshopOrder)


WAYS: dict[str, Callable[[WorkshopOrder], WorkshopOrder]] = {
    "replace": lambda made: structs.replace(made, status_id=made.status_id),
    "asdict": lambda made: WorkshopOrder(**structs.asdict(made)),
    "to_builtins and convert": lambda made: msgspec.convert(msgspec.to_builtins(made), WorkshopOrder),
    "JSON": dumped,
    "MessagePack": lambda made: msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=WorkshopOrder),
    "pickle": lambda made: pickle.loads(pickle.dumps(made)),  # noqa: S301
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "moment",
    [
        FIRST_PASS,
        SECOND_PASS,
        datetime(2023, 7, 7, 16, 54, 23, tzinfo=AMSTERDAM),
        datetime(2023, 7, 7, 16, 54, 23, 125000, tzinfo=UTC),
    ],
    ids=str,
)
def test_every_way_through_python_keeps_the_moment_and_its_offset(way: str, moment: datetime) -> None:
    made = order(datetime_created=moment)
    back = WAYS[way](made)
    assert back == made
    assert back.datetime_created is not None
    assert back.datetime_created.tzinfo is AMSTERDAM
    assert back.datetime_created.astimezone(UTC) == moment.astimezone(UTC)
    assert back.datetime_created.utcoffset() == moment.astimezone(AMSTERDAM).utcoffset()


def test_a_time_without_a_zone_is_amsterdams() -> None:
    made = order(datetime_created=datetime(2023, 7, 7, 16, 54, 23))  # noqa: DTZ001
    assert str(made.datetime_created) == "2023-07-07 16:54:23+02:00"


def test_a_changed_copy_has_its_new_time_in_amsterdam() -> None:
    changed = structs.replace(order(), datetime_modified=datetime(2023, 1, 1, tzinfo=UTC))
    assert str(changed.datetime_modified) == "2023-01-01 01:00:00+01:00"


def test_json_has_the_wires_names_and_the_offset() -> None:
    written = msgspec.json.decode(msgspec.json.encode(order(datetime_created=SECOND_PASS)))
    assert written["datetime_created"] == "2024-10-27T02:30:00+01:00"
    assert written["order_items"][0]["quantity"] == "1.50"
    assert list(written) == list(WorkshopOrder.__struct_fields__)


def test_equality_does_not_tell_the_passes_of_an_october_hour_apart() -> None:
    assert FIRST_PASS.astimezone(UTC) != SECOND_PASS.astimezone(UTC)
    assert order(datetime_created=FIRST_PASS) == order(datetime_created=SECOND_PASS)


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_lists_are_never_null(model: type[Struct]) -> None:
    required = {field.name: _required(field) for field in structs.fields(model) if field.required}
    lists = [name for name, kind in _annotations(model).items() if kind.startswith("NeverNullList")]
    for made in (
        model(**required),
        model(**required, **dict.fromkeys(lists)),
        msgspec.convert({**msgspec.to_builtins(required), **dict.fromkeys(lists)}, model),
    ):
        assert [getattr(made, name) for name in lists] == [[] for _ in lists]


def _required(field: structs.FieldInfo) -> object:
    return 1 if field.type is int else field.type()


def _annotations(model: type[Struct]) -> dict[str, str]:
    return {
        name: str(kind)
        for base in model.__mro__
        for name, kind in vars(base).get("__annotations__", {}).items()
    }


@pytest.mark.parametrize("model", PERSONAL, ids=name_of)
def test_repr_shows_no_text(model: type[Struct]) -> None:
    texts = {field.name: "canary" for field in structs.fields(model) if "str" in str(field.type)}
    names = [field.name for field in structs.fields(model) if field.name.endswith("_id")]
    numbers = {name: 7 for name in names if name not in texts}
    required = {field.name: _required(field) for field in structs.fields(model) if field.required}
    shown = repr(model(**{**required, **numbers, **texts}))
    assert "canary" not in shown
    for name in numbers:
        assert f"{name}=7" in shown


def test_repr_shows_the_ids() -> None:
    customer = models.Customer(customer_id=24, name="Jansen", phone_numbers=[])
    assert repr(customer) == "Customer(customer_id=24)"
    assert (
        repr(models.CustomerNotice(customer=customer)) == "CustomerNotice(customer=Customer(customer_id=24))"
    )
    assert repr(order(status_id=7)) == "WorkshopOrder(workshop_order_id=1, status_id=7)"
    ready = order(status_id=models.WorkshopOrderStatus.COMPLETED)
    assert repr(ready) == repr(order(status_id=7)), "of a member of an enum the number"


def _fields_without_docstring(model: type[Struct]) -> Iterator[str]:
    for base in model.__mro__:
        if base.__module__.startswith("cyclesoft_async"):
            (class_,) = ast.parse(inspect.getsource(base)).body
            assert isinstance(class_, ast.ClassDef)
            for statement, after in zip(class_.body, [*class_.body[1:], None], strict=True):
                if isinstance(statement, ast.AnnAssign) and not (
                    isinstance(after, ast.Expr)
                    and isinstance(after.value, ast.Constant)
                    and after.value.value
                ):
                    yield ast.unparse(statement.target)


@pytest.mark.parametrize("model", [*MODELS, *BRIDGES], ids=name_of)
def test_every_field_has_a_docstring(model: type[Struct]) -> None:
    assert list(_fields_without_docstring(model)) == []


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59)))  # noqa: DTZ001
def test_any_wall_time_becomes_an_aware_one(wall: datetime) -> None:
    aware = in_amsterdam(wall)
    assert aware.tzinfo is AMSTERDAM
    shift = aware.replace(tzinfo=None) - wall
    # Only the times that a clock skips move, by what it skips.
    assert timedelta(0) <= shift <= timedelta(hours=1, minutes=40)
    assert in_amsterdam(aware) == aware


@pytest.mark.parametrize(
    ("wall", "moment"),
    [
        ("2024-03-31 02:30:00", "2024-03-31 03:30:00+02:00"),
        ("2024-03-31 01:59:59", "2024-03-31 01:59:59+01:00"),
        ("2024-10-27 02:30:00", "2024-10-27 02:30:00+02:00"),
        ("1940-05-16 00:30:00", "1940-05-16 02:10:00+02:00"),
        ("0001-01-01 00:00:00", None),
    ],
)
def test_the_changes_of_the_clock(wall: str, moment: str | None) -> None:
    aware = in_amsterdam(datetime.fromisoformat(wall))
    assert aware.utcoffset() is not None
    assert moment is None or str(aware) == moment


def test_days_and_decimals_are_what_the_wire_has() -> None:
    made = models.SalesTransaction(invoice_number=1, book_date=date(2024, 1, 2), invoice_date=None)
    assert msgspec.to_builtins(made)["book_date"] == "2024-01-02"
