"""Account hash: the user and host that a session reads from, as a store remembers them."""

from __future__ import annotations

from hashlib import sha256

from yarl import URL

from cyclesoft_async.sandbox.accounts import account_at
from cyclesoft_async.session import CycleSoftSession


def account_hash(cs: CycleSoftSession) -> str:
    """Return a hash of a session's user and host.

    A sandbox of this process is one account for each seed, on any port.
    """
    place = account_at(cs.base_url) or str(URL(cs.base_url).origin())
    return sha256(f"{cs.username}\n{place}".encode()).hexdigest()
