"""The part of a body that reports an error, read from bodies that are not quite JSON as well.

Seen from PHP servers: a BOM or a notice before the JSON, a warning after it, half of a surrogate pair, a raw
line break or a latin-1 byte in a text, NaN, and bodies that are cut off.
"""

from __future__ import annotations

import json
import re

import msgspec
from msgspec import Struct

_UNPRINTABLE = dict.fromkeys(range(32), " ")
_LONGEST_SEARCHED = 64 * 1024
"""Characters of a broken body that are searched. An error's message is short, a page of a list is not."""
_MOST_OBJECTS = 32
_MOST_BLANKS = 64

_lenient = json.JSONDecoder(strict=False)
_MEMBER = re.compile(r'\s*,?\s*"((?:[^"\\]|\\.)*)"\s*:\s*')


class ErrorBody(Struct, frozen=True, kw_only=True):
    """Members of a body that report an error. Every response may have them.

    `message`, `message_nl` and `reason` are older names for the message.
    """

    # Of any type: an error reported in an unexpected form must not pass for a success.
    error: object = None
    error_message: object = None
    message: object = None
    message_nl: object = None
    reason: object = None

    @property
    def is_error(self) -> bool:
        """Whether the server reports that the call failed."""
        return bool(self.error) and self.error not in ("0", "false")

    @property
    def text(self) -> str | None:
        """Server's message, whole. Null and "" both mean none."""
        found = self.error_message or self.message or self.message_nl or self.reason
        if not found:
            return None
        text = (
            found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, separators=(",", ":"))
        )
        # A lone surrogate can be neither encoded nor logged.
        return text.encode("utf-8", "replace").decode()


_NO_ERROR = ErrorBody()


def read_error_body(body: bytes) -> ErrorBody:
    """Return what a body reports. A list reports nothing, and is not parsed for it."""
    if body[:_MOST_BLANKS].lstrip()[:1] == b"[":
        return _NO_ERROR
    try:
        return msgspec.json.decode(body, type=ErrorBody)
    except msgspec.ValidationError:
        if _is_json(body):
            return _NO_ERROR  # well-formed, and not an object
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ArithmeticError):
        pass
    return _search(body)


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ArithmeticError):
        return False
    return True


def _search(body: bytes) -> ErrorBody:
    """Return what the first object in a broken body reports."""
    text = body[:_LONGEST_SEARCHED].decode("utf-8", "replace").translate(_UNPRINTABLE)
    start = text.find("{")
    for _ in range(_MOST_OBJECTS):
        if start < 0:
            break
        members, end = _leading_members(text, start + 1)
        if "error" in members:
            return ErrorBody(
                **{name: members[name] for name in ErrorBody.__struct_fields__ if name in members}
            )
        if _MEMBER.match(text, start + 1) and text[end : end + 1] != "}":
            break  # cut off: what follows is nested in it
        start = text.find("{", end)
    return _NO_ERROR


def _leading_members(text: str, position: int) -> tuple[dict[str, object], int]:
    """Return the members of an object up to its end, or to where it stops being JSON, and that position."""
    members: dict[str, object] = {}
    while name := _MEMBER.match(text, position):
        try:
            members[name[1]], position = _lenient.raw_decode(text, name.end())
        except (ValueError, RecursionError):
            break
    return members, _after_blanks(text, position)


def _after_blanks(text: str, position: int) -> int:
    while text[position : position + 1].isspace():
        position += 1
    return position
