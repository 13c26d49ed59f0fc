"""Parquet by pyarrow (extra: export). A batch of rows is a row group."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Context, Decimal, InvalidOperation
from typing import Any, BinaryIO, Final

from sqlalchemy import Boolean, Column, Date, DateTime, Integer, Table, Text
from sqlalchemy.types import TypeEngine

from cyclesoft_async._extras import missing_extra
from cyclesoft_async.bulksync.resources.columns import ExactDecimal, UtcDateTime
from cyclesoft_async.errors import StoreError

# The widest decimal that other readers take, DuckDB among them. A double has at most 17 digits.
_DIGITS: Final = 38
_FRACTION_DIGITS: Final = 18
_CONTEXT: Final = Context(prec=_DIGITS)
_SMALLEST: Final = Decimal(1).scaleb(-_FRACTION_DIGITS)

_TYPES: Final[Mapping[type[TypeEngine[Any]], Callable[[Any], Any]]] = {
    UtcDateTime: lambda pa: pa.timestamp("us", tz="UTC"),
    ExactDecimal: lambda pa: pa.decimal128(_DIGITS, _FRACTION_DIGITS),
    DateTime: lambda pa: pa.timestamp("us"),
    Date: lambda pa: pa.date32(),
    Boolean: lambda pa: pa.bool_(),
    Integer: lambda pa: pa.int64(),
    Text: lambda pa: pa.string(),
}


def require_pyarrow() -> None:
    """Check that the extra is installed.

    Raises:
        ModuleNotFoundError: Names it.
    """
    try:
        importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise missing_extra(error, "cli,store,export") from None


def write_parquet(file: BinaryIO, table: Table, batches: Iterable[Sequence[Iterable[Any]]]) -> None:
    """Write the rows with the types of the table's columns.

    Raises:
        StoreError: A decimal has more digits than the format can hold.
    """
    pa: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    schema = pa.schema([(column.name, _type(pa, column)) for column in table.columns])
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for rows in batches:
            columns = zip(table.columns, zip(*rows, strict=True), schema.types, strict=True)
            arrays = [pa.array(_values(column, values), kind) for column, values, kind in columns]
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def _type(pa: Any, column: Column[Any]) -> Any:
    return next(make(pa) for kind, make in _TYPES.items() if isinstance(column.type, kind))


def _values(column: Column[Any], values: Sequence[Any]) -> Sequence[Any]:
    if not isinstance(column.type, ExactDecimal):
        return values
    try:
        return [None if value is None else value.quantize(_SMALLEST, context=_CONTEXT) for value in values]
    except InvalidOperation:
        raise StoreError(
            f"{column.table}.{column.name} has a number of more than {_DIGITS - _FRACTION_DIGITS} digits,"
            " which Parquet cannot hold; export it as CSV"
        ) from None
