"""Reference page of the command, from its own help."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from cyclesoft_async.cli.main import cyclesoft

__all__ = ["command_page"]

_HEAD = """\
# Command

This page is made from the command's own help. The command needs the extra `cli`, a database `store`, and a
`postgresql://` URL `postgres`.
"""


def command_page() -> str:
    """Return the page, in Markdown."""
    return "\n".join([_HEAD, *_sections(cyclesoft, "cyclesoft", None)])


def _sections(command: click.Command, path: str, parent: click.Context | None) -> Iterator[str]:
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent)
    yield f"## `{path}`\n"
    yield f"```text\n{' '.join([path, *command.collect_usage_pieces(context)])}\n```\n"
    if command.help:
        yield f"{inspect.cleandoc(command.help)}\n"
    if rows := [row for row in _rows(command, context) if row is not None]:
        yield "| option | meaning |\n|---|---|"
        yield from rows
        yield ""
    if command.epilog:
        text = inspect.cleandoc(command.epilog.replace("\b", ""))
        yield f"```text\n{text}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if (child := command.get_command(context, name)) is not None:
                yield from _sections(child, f"{path} {name}", context)


def _rows(command: click.Command, context: click.Context) -> Iterator[str | None]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is None or "--help" in parameter.opts:
            continue
        names, meaning = (part.replace("|", "\\|") for part in record)
        yield f"| `{names}` | {_escaped(' '.join(meaning.split()))} |"


def _escaped(text: str) -> str:
    """Keep Markdown from reading the `[default: …]` of an option as a link."""
    return text.replace("[", "\\[").replace("<", "&lt;")
