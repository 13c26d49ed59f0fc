"""Errors in bodies that are not quite JSON: none passes for a success, and no success for an error."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyclesoft_async.errors import BadRequestError, ResponseDecodeError, ResponseError, TransportError
from cyclesoft_async.transport import Response, read_error_body, read_nothing, read_response

ROUNDS = 10_000

texts = st.text(max_size=20)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
flags = st.sampled_from([True, 1, "1", "true", "yes", {"code": 3}, ["x"]])
no_flags: st.SearchStrategy[object] = st.sampled_from([False, 0, "", "0", "false", None, [], {}])
extras = st.dictionaries(texts.filter(lambda name: name != "error"), values, max_size=3)

notices = st.sampled_from(
    [
        b"",
        b"\xef\xbb\xbf",
        b"\r\n \t",
        b"<br />\n<b>Notice</b>: Undefined index: x in /a.php on line 3<br />\n",
        b"PHP Warning: foreach() argument {closure} in C:\\a.php\n",
        b"Deprecated: caf\xe9 \\ud83d {} [] \x00\n",
    ]
)
oddities = st.sampled_from([b"", b"\\ud83d", b"caf\xe9", b"a\nnew line", b"\t\x01", b"\\\\"])


def body_of(members: dict[str, object], odd: bytes) -> bytes:
    """Return an object with an odd text in its message."""
    text = json.dumps(members | {"error_message": "@odd@"}).encode()
    return text.replace(b"@odd@", odd)


def judge(body: bytes, type_: type | None) -> None:
    """Read a response with status 200 as a call would."""
    response = Response(status=200, headers={}, body=body)
    if type_ is None:
        read_nothing(response)
    else:
        read_response(response, type_)


def surrounded(flag: object, extra: dict[str, object], before: bytes, odd: bytes, after: bytes) -> bytes:
    """Return an object with that `error`, with an odd text in it, and notices around it."""
    return before + body_of({"error": flag} | extra, odd) + after


types = st.sampled_from([None, dict])
refusals = st.builds(surrounded, flags, extras, notices, oddities, notices)
rubbish = st.binary(max_size=60).map(lambda rubbish: b"<" + rubbish)
refusals_in_rubbish = st.builds(surrounded, flags, extras, rubbish, st.just(b""), rubbish)
starts = st.sampled_from([b"", b"\xef\xbb\xbf", b" \n"])
successes = st.builds(surrounded, no_flags, extras, starts, st.just(b""), st.just(b""))


def refused(body: bytes, type_: type | None) -> None:
    with pytest.raises(BadRequestError):
        judge(body, type_)


@settings(max_examples=ROUNDS // 100)
@given(refusals, types)
def test_no_error_passes_for_a_success(body: bytes, type_: type | None) -> None:
    refused(body, type_)


@pytest.mark.soak
@settings(max_examples=ROUNDS)
@given(refusals, types)
def test_no_error_of_ten_thousand_passes_for_a_success(body: bytes, type_: type | None) -> None:
    refused(body, type_)


@settings(max_examples=ROUNDS // 100)
@given(refusals_in_rubbish, st.sampled_from([None, dict, list]))
def test_no_error_among_rubbish_passes_for_a_success(body: bytes, type_: type | None) -> None:
    with pytest.raises((ResponseError, TransportError)):
        judge(body, type_)


@settings(max_examples=ROUNDS // 100)
@given(successes, types)
def test_no_success_is_taken_for_an_error(body: bytes, type_: type | None) -> None:
    judge(body, type_)


@pytest.mark.soak
@settings(max_examples=ROUNDS)
@given(successes, types)
def test_no_success_of_ten_thousand_is_taken_for_an_error(body: bytes, type_: type | None) -> None:
    judge(body, type_)


@settings(max_examples=ROUNDS // 100)
@given(st.binary(max_size=80), st.sampled_from([None, dict, list, int]))
def test_any_bytes_are_a_success_or_an_error_of_the_tree(body: bytes, type_: type | None) -> None:
    with suppress(ResponseError, TransportError):
        judge(body, type_)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"false", ResponseDecodeError),
        (b"null", ResponseDecodeError),
        (b'"error"', ResponseDecodeError),
        (b"7", ResponseDecodeError),
        (b"[]", ResponseDecodeError),
        (b'[{"error": true}]', ResponseDecodeError),
        (b"<html><body>Please log in</body></html>", ResponseDecodeError),
        (b'{"error": fal', TransportError),
        (b'{"data": [{"error": true}, {"id": 1', TransportError),
        (b'{"error": true, "error_message": "order is loc', BadRequestError),
        (b'{"error_message": "no", "error": 1, "data": [1, 2', BadRequestError),
    ],
)
def test_only_an_empty_body_or_an_object_without_error_is_nothing(
    body: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        judge(body, None)
    assert type(caught.value) is error


@pytest.mark.parametrize("body", [b"", b" \r\n", b"{}", b'{"error": false}', b'\xef\xbb\xbf{"id": 1}'])
def test_what_is_nothing(body: bytes) -> None:
    judge(body, None)


def test_a_text_under_a_status_that_claims_success_is_named() -> None:
    with pytest.raises(ResponseDecodeError, match="expected JSON under status 200, got 6 bytes of"):
        judge(b"<html>", None)


def test_an_error_of_a_row_is_not_that_of_its_page() -> None:
    body = b'{"data": [{"id": 1, "error": true, "text": "\\ud83d"}], "pagination": null}'
    assert not read_error_body(body).is_error


def test_a_message_is_bounded() -> None:
    body = json.dumps({"error": True, "error_message": "x" * 1_000_000}).encode()
    with pytest.raises(BadRequestError) as caught:
        read_nothing(Response(status=200, headers={}, body=body))
    assert caught.value.server_message == "x" * 2_000 + "..."


def test_an_array_is_not_parsed_for_an_error() -> None:
    # Parsing 10 MB would block the event loop for a quarter of a second. This one cannot be parsed.
    assert not read_error_body(b" [" + b"[" * 1_000_000).is_error
