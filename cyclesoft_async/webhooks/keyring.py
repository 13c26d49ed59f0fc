"""The secrets that deliveries may be signed with, and the accounts that each of them speaks for."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TypeAlias, cast

from cyclesoft_async.errors import UsageError

from .signature import Algorithm, Secret, known, proving, secret_keys

Secrets: TypeAlias = Secret | Iterable[Secret] | Mapping[int, Secret | Iterable[Secret]]


class _EveryAccount(Container[int]):
    def __contains__(self, account_id: object) -> bool:
        return True


class Keyring:
    """Tells which accounts a signature proves.

    Args:
        secrets: One secret or several, which speak for every account; or those of each account by its id.
        algorithm: What the secrets are used with.

    Raises:
        UsageError: There is no secret, one is empty, or the algorithm is not known.
    """

    def __init__(self, secrets: Secrets, algorithm: Algorithm) -> None:
        self._algorithm: Algorithm = known(algorithm)
        self._accounts: dict[bytes, Container[int]] = {}
        if isinstance(secrets, Mapping):
            owners: dict[bytes, set[int]] = {}
            for account_id, own in cast("Mapping[int, Secret | Iterable[Secret]]", secrets).items():
                for key in secret_keys(own):
                    owners.setdefault(key, set()).add(account_id)
            self._accounts.update(owners)
        else:
            self._accounts.update(dict.fromkeys(secret_keys(secrets), _EveryAccount()))
        if not self._accounts:
            raise UsageError("a webhook receiver needs at least one secret")

    def proven(self, body: bytes, signatures: Sequence[str]) -> list[Container[int]]:
        """The accounts that the signatures speak for; empty when the body is forged.

        Which account the body names is not asked before: nothing is parsed that is not verified.
        """
        return [self._accounts[key] for key in proving(body, signatures, self._accounts, self._algorithm)]
