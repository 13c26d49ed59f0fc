"""HTTP proxy from the environment: HTTPS_PROXY, HTTP_PROXY and NO_PROXY.

aiohttp's own `trust_env` looks them up in a thread for each request, and reads credentials from netrc.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from cyclesoft_async.errors import UsageError

__all__ = ["environment_proxy", "is_loopback"]


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        name = host.rstrip(".").lower()
        return name == "localhost" or name.endswith(".localhost")


def environment_proxy(scheme: str, host: str, port: int) -> URL | None:
    """Return the proxy for an origin, or None to connect to it directly. Loopback hosts have none.

    Raises:
        UsageError: The variable is not a URL of an HTTP proxy.
    """
    if is_loopback(host) or proxy_bypass(f"{host}:{port}"):
        return None
    configured = getproxies().get(scheme)
    if not configured:
        return None
    proxy = _parse(configured)
    del configured  # a traceback can show it, and it may hold a password
    if proxy is None:
        raise UsageError(
            f"{scheme.upper()}_PROXY must be a URL like http://proxy.example.com:3128; a user name in it must"
            " have no colon, and name and password only letters of Latin-1"
        )
    return proxy


def _parse(configured: str) -> URL | None:
    """Return the proxy, or None if it is not one. It raises nothing: a frame would show the text."""
    try:
        proxy = URL(configured if "://" in configured else f"http://{configured}")
        # aiohttp does so for each request, and its error holds what it cannot encode.
        f"{proxy.user}{proxy.password}".encode("latin-1")
    except (ValueError, IndexError):  # the latter from yarl, for some that are malformed
        return None
    is_proxy = proxy.scheme in {"http", "https"} and proxy.host and ":" not in (proxy.user or "")
    return proxy if is_proxy else None
