"""Check of the built site: links and anchors exist, pages load nothing from elsewhere, no name is missing."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

__all__ = ["PUBLIC_MODULES", "problems_of_site", "public_names"]

PUBLIC_MODULES = [
    "cyclesoft_async",
    "cyclesoft_async.bridges",
    "cyclesoft_async.bridges.fleetio",
    "cyclesoft_async.bridges.ppw",
    "cyclesoft_async.bridges.shopctrl",
    "cyclesoft_async.bulksync",
    "cyclesoft_async.bulksync.workers",
    "cyclesoft_async.errors",
    "cyclesoft_async.models",
    "cyclesoft_async.pagination",
    "cyclesoft_async.resources",
    "cyclesoft_async.sandbox",
    "cyclesoft_async.webhooks",
    "cyclesoft_async.webhooks.events",
    "cyclesoft_async.webhooks.testing",
]
_MODULES = {"errors", "models", "events", "__version__"}
"""Names in an `__all__` that have a page or none, rather than an entry on one."""
_SHADOWED = {
    "cyclesoft_async.bulksync.estimate": "cyclesoft_async.bulksync.estimate.estimate.estimate",
    "cyclesoft_async.bulksync.sync": "cyclesoft_async.bulksync.sync_tables.sync",
}
"""Functions whose name is also a module's, and where they are documented."""


def problems_of_site(site: Path) -> list[str]:
    """Return a line for each problem."""
    # The page for a missing page is for a server's root, from which its links start.
    pages = {
        path: _Page(path.read_text()) for path in sorted(site.rglob("*.html")) if path.name != "404.html"
    }
    anchors = {path: page.anchors for path, page in pages.items()}
    found = [
        f"{path.relative_to(site)}: {problem}"
        for path, page in pages.items()
        for problem in _problems(path, page, anchors)
    ]
    everywhere = {anchor for page in anchors.values() for anchor in page}
    missing = (name for name in public_names() if _SHADOWED.get(name, name) not in everywhere)
    return found + [f"no page documents {name}" for name in missing]


class _Page(HTMLParser):
    """Anchors, links and loaded files of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors.update(filter(None, (values.get("id"), values.get("name") if tag == "a" else None)))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and values.get("rel") in {"stylesheet", "icon", "preload", "preconnect"}:
            self.loaded.append(values.get("href", ""))
        elif tag in {"script", "img", "iframe", "source"} and "src" in values:
            self.loaded.append(values["src"])


def _problems(path: Path, page: _Page, anchors: dict[Path, set[str]]) -> Iterator[str]:
    for url in page.loaded:
        if urlsplit(url).netloc:
            yield f"loads {url}"
    for url in page.links + page.loaded:
        parts = urlsplit(url)
        if parts.scheme or parts.netloc:
            continue
        target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
        if target.is_dir():
            target /= "index.html"
        if not target.exists():
            yield f"links to {url}, which does not exist"
        elif parts.fragment and unquote(parts.fragment) not in anchors.get(target, {parts.fragment}):
            yield f"links to {url}, which has no such anchor"


def public_names() -> Iterator[str]:
    """Yield the full names of all public names that have an entry in the reference."""
    for name in PUBLIC_MODULES:
        module = importlib.import_module(name)
        names: list[str] = getattr(module, "__all__", None) or _defined(module)
        yield from (f"{name}.{one}" for one in names if one not in _MODULES)


def _defined(module: ModuleType) -> list[str]:
    """Return the public classes that a module without `__all__` defines."""
    classes = {name: value for name, value in vars(module).items() if isinstance(value, type)}
    return [
        name
        for name, value in classes.items()
        if value.__module__ == module.__name__ and not name.startswith("_")
    ]
