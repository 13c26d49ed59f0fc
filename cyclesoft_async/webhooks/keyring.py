"""Webhook secrets, and the accounts that each of them signs for."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias, cast

import msgspec

from cyclesoft_async.errors import UsageError

from .signature import Algorithm, Key, Secret, is_blank, known, proving, secret_bytes

Secrets: TypeAlias = Secret | Iterable[Secret] | Mapping[int, Secret | Iterable[Secret]]

logger: logging.Logger = logging.getLogger("cyclesoft_async.webhooks")

_MOST_KEYS: Final = 64
"""This number of HMACs of the largest body that is accepted by default, 256 KiB, takes 10 ms."""
_FEW_KEYS: Final = 8
"""Keys that are tried before the event loop has a turn."""
_SHORT_SECRET: Final = 16
_CLAIM: Final = re.compile(rb'"account_id"\s*:\s*"?(\d{1,19})')


class Accounts:
    """Accounts that a delivery may be from, by its signatures.

    Attributes:
        only: The account, when it can be no other.
    """

    def __init__(self, ids: frozenset[int] | None = None) -> None:
        self._ids = ids
        self.only: int | None = next(iter(ids)) if ids is not None and len(ids) == 1 else None

    def __contains__(self, account_id: int) -> bool:
        return self._ids is None or account_id in self._ids


_ANY: Final = Accounts()


class ForgedError(Exception):
    """A delivery is not verified. The message says why."""


class Keyring:
    """Verifies signatures, and says which accounts they prove.

    Args:
        secrets: One secret or several, which sign for every account; or those of each account by its id.
        algorithm: The HMAC's hash algorithm.

    Raises:
        UsageError: There is no secret, one is blank, more than 64 are for the same accounts, an account's id
            is not an integer, or the algorithm is not known.
    """

    def __init__(self, secrets: Secrets, algorithm: Algorithm) -> None:
        self._algorithm: Algorithm = known(algorithm)
        self._owners: dict[Key, frozenset[int]] | None = None
        self._by_account: dict[int, list[Key]] = {}
        self._keys: list[Key] = []
        self.rotate(secrets)

    def rotate(self, secrets: Secrets) -> None:
        """Replace all secrets at once.

        Raises:
            UsageError: As for the constructor. The secrets stay what they were.
        """
        owners: dict[Key, frozenset[int]] | None = None
        by_account: dict[int, list[Key]] = {}
        if isinstance(secrets, Mapping):
            owners, by_account = _keys_of_accounts(
                cast("Mapping[object, Secret | Iterable[Secret]]", secrets), self._algorithm
            )
            keys = list(owners)
        else:
            keys = [Key(secret, self._algorithm) for secret in _visible(secrets)]
        if not keys:
            raise UsageError("a webhook receiver must have at least one secret, got none")
        most = max(map(len, by_account.values())) if owners is not None else len(keys)
        if most > _MOST_KEYS:
            raise UsageError(
                f"secrets must be at most {_MOST_KEYS} for the same accounts, got {most};"
                " give each account its own, as {account_id: secret}"
            )
        if min(key.secret_bytes for key in keys) < _SHORT_SECRET:
            logger.warning("a webhook secret is shorter than %d bytes: it may be guessed", _SHORT_SECRET)
        self._owners, self._by_account, self._keys = owners, by_account, keys

    async def proven(self, body: bytes, signatures: Sequence[str], only: int | None) -> Accounts:
        """Return the accounts that the signatures prove.

        Each key costs an HMAC of the body, so the account chooses them: the one of the path, or else the one
        that the body names, which is compared again after it was verified.

        Raises:
            ForgedError: No key proves one of the signatures.
        """
        owners = self._owners
        keys = self._keys if owners is None else self._candidates(body, only)
        if len(keys) > _MOST_KEYS:
            raise ForgedError("it names no account, and there are too many secrets to try all")
        found = proving(body, signatures, keys[:_FEW_KEYS], self._algorithm)
        for first in range(_FEW_KEYS, len(keys), _FEW_KEYS):
            await asyncio.sleep(0)
            found += proving(body, signatures, keys[first : first + _FEW_KEYS], self._algorithm)
        if not found:
            raise ForgedError("its signature is missing or not ours")
        if owners is None:
            return _ANY
        return Accounts(frozenset[int]().union(*(owners[key] for key in found)))

    def _candidates(self, body: bytes, only: int | None) -> Sequence[Key]:
        account_id = _claimed_account(body) if only is None else only
        return self._keys if account_id is None else self._by_account.get(account_id, ())


class _Claim(msgspec.Struct, gc=False):
    account_id: int


def _claimed_account(body: bytes) -> int | None:
    """Return the account that an unverified body names. None when it names none."""
    try:
        return msgspec.json.decode(body, type=_Claim).account_id
    except (ValueError, RecursionError):
        match = _CLAIM.search(body)
        return None if match is None else int(match[1])


def _visible(secrets: Secret | Iterable[Secret]) -> list[bytes]:
    found = secret_bytes(secrets)
    if any(map(is_blank, found)):
        raise UsageError("a webhook secret must not be only white space: everyone could sign with it")
    return found


def _keys_of_accounts(
    secrets: Mapping[object, Secret | Iterable[Secret]], algorithm: Algorithm
) -> tuple[dict[Key, frozenset[int]], dict[int, list[Key]]]:
    owners: dict[bytes, set[int]] = {}
    for account_id, own in secrets.items():
        if not isinstance(account_id, int):  # as the keys of a JSON object are not
            raise UsageError(
                f"secrets must be given by account id, an integer, got {type(account_id).__name__}"
            )
        for secret in _visible(own):
            owners.setdefault(secret, set()).add(account_id)
    keys = {Key(secret, algorithm): frozenset(ids) for secret, ids in owners.items()}
    by_account: dict[int, list[Key]] = {}
    for key, ids in keys.items():
        for account_id in ids:
            by_account.setdefault(account_id, []).append(key)
    return keys, by_account
