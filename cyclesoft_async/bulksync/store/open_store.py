"""Writer: runs transactions on an open store, one after another, each in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from anyio import CancelScope, Lock, to_thread
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from cyclesoft_async.errors import StoreError

from .backend import Backend
from .transaction import Transaction

P = ParamSpec("P")
R = TypeVar("R")


class StoreWriter:
    """An open store. Transactions run one after another, each in a thread: the event loop stays free."""

    def __init__(self, engine: Engine, backend: Backend) -> None:
        self._engine = engine
        self._backend = backend
        self._one_at_a_time = Lock()

    async def run(
        self, work: Callable[Concatenate[Transaction, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Do some work in a transaction. A cancelled caller waits for the transaction that it began.

        When a value does not fit into the database the work is done again, and rows are written one by one.

        Args:
            work: A function of this package that takes a `Transaction` first.
            *args: Its other arguments.
            **kwargs: Its other arguments.

        Raises:
            StoreError: The database is away or refuses; nothing of the work has been stored.
        """

        def transact() -> R:
            try:
                return self._transact(lambda tx: work(tx, *args, **kwargs), one_by_one=False)
            except self._backend.value_errors:
                return self._transact(lambda tx: work(tx, *args, **kwargs), one_by_one=True)

        async with self._one_at_a_time:
            transaction = asyncio.create_task(to_thread.run_sync(transact))
            try:
                return await asyncio.shield(transaction)
            finally:
                # Cancelled by asyncio, and not by a scope of anyio, the task would leave the thread at work.
                with CancelScope(shield=True):
                    await asyncio.wait([transaction])

    def _transact(self, work: Callable[[Transaction], R], *, one_by_one: bool) -> R:
        failure: BaseException | None
        try:
            with self._engine.begin() as connection:
                return work(Transaction(connection, self._backend, one_by_one))
        except self._backend.value_errors:
            raise
        except DBAPIError as error:
            failure = error.orig
        except self._backend.errors as error:
            failure = error
        # Raised out here: as its context the driver's error could show values of the tables.
        raise StoreError(f"the database: {self._backend.reason(failure)}")
