"""Records that are computed from their id, overlaid with created and changed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from itertools import chain, count
from typing import Any, TypeAlias

Record: TypeAlias = dict[str, Any]


class Overlay:
    """Finds, lists and saves records. A million computed records cost no memory.

    Args:
        ids: Ids of the computed records, ascending.
        make: Computes the record of an id.
    """

    def __init__(self, *ids: range, make: Callable[[int], Record]) -> None:
        self._computed = ids
        self._make = make
        self._saved: dict[int, Record] = {}
        self._next_ids = count(ids[-1].stop)

    def __contains__(self, id_: int) -> bool:
        return id_ in self._saved or self._is_computed(id_)

    def find(self, id_: int) -> Record | None:
        """Return a copy of the record, or None. `save` stores a changed copy."""
        if id_ in self._saved:
            return deepcopy(self._saved[id_])
        return self._make(id_) if self._is_computed(id_) else None

    def save(self, id_: int, record: Record) -> None:
        """Store a record."""
        self._saved[id_] = record

    def next_id(self) -> int:
        """Return an unused id."""
        return next(self._next_ids)

    def ids(self) -> Iterator[int]:
        """Iterate over all ids, ascending. A page of ids costs no more than its own records."""
        created = sorted(id_ for id_ in self._saved if not self._is_computed(id_))
        return chain(*self._computed, created)

    def get(self, id_: int) -> Record:
        """Return a copy of the record with an id of `ids`."""
        return deepcopy(self._saved[id_]) if id_ in self._saved else self._make(id_)

    def among(self, ids: Iterable[int]) -> Iterator[Record]:
        """Iterate over the records of these ids and over all saved ones, by ascending id.

        The saved ones may have become what a search of computed records can't know.
        """
        computed = {id_ for id_ in ids if self._is_computed(id_)}
        return map(self.get, sorted(computed | self._saved.keys()))

    def __iter__(self) -> Iterator[Record]:
        """Iterate over all records by ascending id."""
        return map(self.get, self.ids())

    def _is_computed(self, id_: int) -> bool:
        return any(id_ in ids for ids in self._computed)
