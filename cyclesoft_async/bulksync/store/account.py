"""Account: a store belongs to one user of one host."""

from __future__ import annotations

import logging
from typing import Final

from sqlalchemy import select

from cyclesoft_async.bulksync.resources.workshop_orders import workshop_orders
from cyclesoft_async.errors import UsageError

from .tables import schema_version
from .transaction import Transaction

logger: logging.Logger = logging.getLogger("cyclesoft_async.bulksync")

_OWNER: Final = select(schema_version.c.account)


def check_account(tx: Transaction, account: str, *, adopt: bool) -> None:
    """Refuse a store that belongs to another account.

    Args:
        tx: The transaction.
        account: A hash of user and host.
        adopt: Accept any.

    Raises:
        UsageError: The store belongs to another account.
    """
    _refuse_other(tx.connection.scalar(_OWNER), account, adopt=adopt)


def claim_account(tx: Transaction, account: str, *, adopt: bool) -> None:
    """Make the store an account's own, once the server has answered it: a misspelt user must not own it.

    Raises:
        UsageError: Another account has claimed the store since it was checked.
    """
    # Locked: a process of another account may claim the same new store now.
    owner = tx.connection.scalar(_OWNER.with_for_update())
    _refuse_other(owner, account, adopt=adopt)
    if owner == account:
        return
    is_empty = tx.connection.execute(select(workshop_orders.c.workshop_order_id).limit(1)).first() is None
    if owner is None and not is_empty:
        logger.warning("the store names no account yet: its orders are taken for this account's")
    tx.connection.execute(schema_version.update().values(account=account))


def _refuse_other(owner: str | None, account: str, *, adopt: bool) -> None:
    if owner not in {None, account} and not adopt:
        raise UsageError(
            "the store must not mix accounts, and holds the orders of another user or host: name another"
            " database, or after a changed user name or host use --same-account, Store(..., adopt=True)"
        )
