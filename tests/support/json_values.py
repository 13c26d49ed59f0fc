"""JSON of any kind, with the properties of workshop orders in it."""

from __future__ import annotations

from datetime import datetime

from hypothesis import strategies as st

from cyclesoft_async.models import WorkshopOrder, WorkshopOrderItem

__all__ = ["properties", "rows", "scalars", "values"]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(["", "0", "12", "12.5", "0000-00-00", "2023-03-07 16:54:23", "2023-03-07", "null"]),
    st.sampled_from(["\ud83d", "\ude00 \U0001f600"]),  # half of a pair is JSON, and no text
    # Before 1940 Amsterdam was ahead of UTC by seconds too, which no offset in JSON says.
    st.datetimes(datetime(1940, 1, 1)).map(str),  # noqa: DTZ001
)
properties = st.sampled_from(
    [*WorkshopOrder.__struct_encode_fields__, *WorkshopOrderItem.__struct_encode_fields__, "0", "1", "data"]
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(properties | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=20,
)
rows = st.fixed_dictionaries(
    {"workshop_order_id": st.integers(1, 9) | scalars}, optional={"status_id": scalars}
)
