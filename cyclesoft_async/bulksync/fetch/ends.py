"""List ends: whether a list has come to its end, or breaks off.

A server that loses the address of the next page ends a list with a full page. A shorter one is the last.
"""

from __future__ import annotations

from typing import Final

# Times that the list of a single day, which cannot be cut in two, is listed again.
_RELISTED: Final = 3


class ListEnds:
    """Knows how many rows a full page has, by the pages that were read.

    Args:
        largest_page: Rows of the largest page of earlier runs; 0 if there are none.
    """

    def __init__(self, largest_page: int = 0) -> None:
        self._largest = largest_page
        self._has_full_page = False

    def add_full(self, rows: int) -> None:
        """Note a page that another one follows."""
        self._largest = max(self._largest, rows)
        self._has_full_page = True

    def is_doubtful_at(
        self, rows: int, *, of_list: int, counted: int | None, days: int, attempt: int
    ) -> bool:
        """Note a page that the server calls the last of its list, and return whether others may follow.

        Args:
            rows: Rows of the page.
            of_list: Rows of the list with this page.
            counted: Rows that the list's days had in an earlier run; None if it has not read all of them.
            days: How many days the list has.
            attempt: How often it was listed before.
        """
        is_full = rows >= max(1, self._largest)
        self._largest = max(self._largest, rows)
        if not is_full:
            return False
        if self._has_full_page:
            return days > 1 or attempt < _RELISTED
        # Nothing shows how large a full page is. A list that has all that it had is complete.
        return (days > 1 or not attempt) and (counted is None or of_list < counted)
