"""Pages and answers of any content: no row is lost, and every failure is an error of the tree."""

from __future__ import annotations

import json
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from cyclesoft_async.codec.decode import decode
from cyclesoft_async.errors import ResponseError, TransportError
from cyclesoft_async.models import CreatedInvoice, WorkshopOrder
from cyclesoft_async.pagination import Page, PageReader
from cyclesoft_async.transport import Call, Response, read_response
from tests.support.http_server import wire
from tests.support.json_values import rows, values


def read_page(response: Response) -> Page[WorkshopOrder]:
    reader = PageReader(WorkshopOrder)
    return reader.read(response, call=Call(method="GET", path="/"), whole=False)


def answered(data: object) -> Response:
    return Response(status=200, headers={}, body=wire({"data": data}))


@given(st.lists(rows | values, max_size=12))
def test_a_page_loses_no_row(data: list[object]) -> None:
    page = read_page(answered(data))
    assert len(page.items) + len(page.rejected) == len(data)
    assert [json.loads(row.raw) for row in page.rejected] == [data[row.index] for row in page.rejected]
    assert [decode(raw, WorkshopOrder) for raw in page.raw_items] == page.items


@given(st.lists(rows, min_size=1, max_size=5))
def test_a_page_keyed_by_index_loses_no_row(data: list[object]) -> None:
    keyed = read_page(answered({str(2 * index): row for index, row in enumerate(data)}))
    listed = read_page(answered(data))
    assert keyed.items == listed.items
    assert [row.index for row in keyed.rejected] == [row.index for row in listed.rejected]


envelopes = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("error", "error_message", "message", "data", "pagination", "invoices"), values),
)


@given(
    st.sampled_from([200, 204, 302, 404, 429, 500]),
    (envelopes | values).map(wire) | st.binary(max_size=40),
    st.fixed_dictionaries({}, optional={"Retry-After": st.text(), "Content-Type": st.text()}),
)
def test_any_answer_is_read_or_an_error_of_the_tree(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    response = Response(status=status, headers=headers, body=body)
    assert repr(response) == f"Response({status}, {len(body)} bytes)"
    with suppress(ResponseError, TransportError):
        read_page(response)
    for type_ in (CreatedInvoice, list[WorkshopOrder]):
        with suppress(ResponseError, TransportError):
            read_response(response, type_)
