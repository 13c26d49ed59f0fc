"""`cyclesoft check`: first contact with an account."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import anyio
import click
import msgspec
from msgspec import Struct

from cyclesoft_async import CycleSoftSession, RetryPolicy
from cyclesoft_async._version import __version__
from cyclesoft_async.errors import UsageError

from .credentials import session_from_user
from .errors import exit_code
from .first_contact import (
    SCOPE_READS,
    Exchange,
    Finding,
    Report,
    check_account,
    check_scopes,
    check_settings,
    check_signature,
)
from .options import SECRET_FILE, check_folder, read_secrets

_TIMEOUT = 20.0
_PRIVATE = 0o600


class _Bundle(Struct):
    """A report for the vendor's support. It holds no credentials, bodies or query values."""

    library: str
    python: str
    host: str
    findings: list[Finding]
    requests: list[Exchange]


@click.command(short_help="Check host, credentials, quota, clock and pages.")
@click.option("--scopes", is_flag=True, help="Also try a read for each scope.")
@click.option(
    "--delivery",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A captured webhook body: find out how it was signed.",
)
@click.option("--signature", metavar="TEXT", help="With --delivery: its X-CycleSoftware-Signature.")
@SECRET_FILE
@click.option(
    "--bundle",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a report for the vendor's support, without credentials.",
)
def check(
    scopes: bool, delivery: Path | None, signature: str | None, secret_file: Path | None, bundle: Path | None
) -> None:
    """Check host, credentials, quota, clock and pages by at most two requests.

    Each line begins with "ok", "note", or "fail" with what to do. The exit code is 0 without a "fail", else
    that of the failed request, or 1. With --delivery the webhook secrets are read as by `cyclesoft webhooks`.
    """
    if (delivery is None) != (signature is None):
        raise UsageError("--delivery and --signature must be used together")
    if bundle is not None:
        check_folder("--bundle", bundle)
    secrets = [] if delivery is None else read_secrets(secret_file)
    cs = session_from_user()
    report = Report()
    check_settings(report, cs.base_url, cs.username, os.environ.get("CYCLESOFT_PASSWORD", ""))
    if scopes:
        click.echo(f"trying {len(SCOPE_READS)} scopes, a request each", err=True)
    anyio.run(_contact, cs, report, scopes)
    if delivery is not None and signature is not None:
        check_signature(report, delivery.read_bytes(), signature, secrets)
    for finding in report.findings:
        click.echo(f"{finding.level:<5} {finding.subject}: {finding.text}")
    if bundle is not None:
        _write(bundle, cs.base_url, report)
    if any(finding.level == "fail" for finding in report.findings):
        raise click.exceptions.Exit(1 if report.failure is None else exit_code(report.failure))


async def _contact(cs: CycleSoftSession, report: Report, scopes: bool) -> None:
    async with cs:
        once = cs.with_options(timeout=_TIMEOUT, max_wait=_TIMEOUT, retries=RetryPolicy.none())
        await check_account(report, once)
        if scopes:
            await check_scopes(report, once)


def _write(path: Path, base_url: str, report: Report) -> None:
    content = _Bundle(
        library=__version__,
        python=platform.python_version(),
        host=base_url,
        findings=report.findings,
        requests=report.exchanges,
    )
    path.touch(_PRIVATE)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content)) + b"\n")
    click.echo(f"written: {path}", err=True)
