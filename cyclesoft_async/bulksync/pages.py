"""FetchedPage: a page of a window's list, on its way from a reader to the store."""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import Struct

from cyclesoft_async.pagination import Page

from .date_ranges import Window

T = TypeVar("T")


class FetchedPage(Struct, Generic[T], frozen=True, kw_only=True):
    """A page, and how far the list of its window has been read with it."""

    window: Window
    page: Page[T]
    pages: int
    """Pages of the window up to this one."""
    rows: int
    """Rows of them that could be read, each counted once."""

    is_last: bool
    """Whether the whole list has been read."""
