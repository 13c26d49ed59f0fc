"""The secrets that deliveries may be signed with, and the accounts that each of them speaks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias, cast

from cyclesoft_async.errors import UsageError

from .signature import Algorithm, Key, Secret, known, proving, secret_bytes

Secrets: TypeAlias = Secret | Iterable[Secret] | Mapping[int, Secret | Iterable[Secret]]


class Accounts:
    """The accounts that a delivery may be from, by its signatures: some, or whichever.

    Attributes:
        only: The account, when it can be no other.
    """

    def __init__(self, ids: frozenset[int] | None = None) -> None:
        self._ids = ids
        self.only = next(iter(ids)) if ids is not None and len(ids) == 1 else None

    def __contains__(self, account_id: int) -> bool:
        return self._ids is None or account_id in self._ids


_WHICHEVER: Final = Accounts()


class Keyring:
    """Tells which accounts a signature proves.

    Args:
        secrets: One secret or several, which speak for every account; or those of each account by its id.
        algorithm: What the secrets are used with.

    Raises:
        UsageError: There is no secret, one is empty, an account's id is no integer, or the algorithm is not
            known.
    """

    def __init__(self, secrets: Secrets, algorithm: Algorithm) -> None:
        self._algorithm: Algorithm = known(algorithm)
        self._owners: dict[Key, frozenset[int]] | None = None
        if isinstance(secrets, Mapping):
            owners: dict[bytes, set[int]] = {}
            for account_id, own in cast("Mapping[object, Secret | Iterable[Secret]]", secrets).items():
                if not isinstance(account_id, int):  # as the keys of a JSON object are not
                    raise UsageError("secrets are given for an account by its id, an integer")
                for secret in secret_bytes(own):
                    owners.setdefault(secret, set()).add(account_id)
            self._owners = {Key(secret, algorithm): frozenset(ids) for secret, ids in owners.items()}
            self._keys = list(self._owners)
        else:
            self._keys = [Key(secret, algorithm) for secret in secret_bytes(secrets)]
        if not self._keys:
            raise UsageError("a webhook receiver needs at least one secret")

    def proven(self, body: bytes, signatures: Sequence[str]) -> Accounts | None:
        """The accounts that the signatures speak for; None when the body is forged.

        Which account the body names is not asked before: nothing is parsed that is not verified.
        """
        keys = proving(body, signatures, self._keys, self._algorithm)
        if not keys:
            return None
        if self._owners is None:
            return _WHICHEVER
        return Accounts(frozenset[int]().union(*(self._owners[key] for key in keys)))
