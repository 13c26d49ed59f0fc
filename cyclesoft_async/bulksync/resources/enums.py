"""Enums of the account: one request for all of them. The words for the ids in the other tables."""

from __future__ import annotations

from datetime import datetime

from msgspec import Raw, Struct
from sqlalchemy import BigInteger, Column, Table, Text

from cyclesoft_async.models import EnumEntry
from cyclesoft_async.session import CycleSoftSession

from .columns import bookkeeping_columns, metadata, typed_columns
from .listed import Batch, Listed, decoded
from .mirrored import Mirrored


class SubjectEntry(EnumEntry, frozen=True, kw_only=True):
    """A value of an enum, with the enum's name."""

    subject: str = ""
    """The enum, such as "workshop_order_status"."""


class _Answer(Struct, frozen=True):
    data: dict[str, list[Raw]]


enums: Table = Table(
    "enums",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    *typed_columns(SubjectEntry, "description description_en"),
    *bookkeeping_columns(),
    comment="Values of all enums, in Dutch and in English.",
)

KIND = Mirrored(SubjectEntry, enums)


async def _read(cs: CycleSoftSession, _: datetime | None, __: str | None) -> Batch[SubjectEntry]:
    answer = await cs.request("GET", "/api/v1/common/enum.json", type=_Answer)
    batches = [(subject, decoded(raws, EnumEntry)) for subject, raws in answer.data.items()]
    return Batch(
        rows=[(_entry(subject, entry), raw) for subject, batch in batches for entry, raw in batch.rows],
        rejected=[row for _subject, batch in batches for row in batch.rejected],
    )


def _entry(subject: str, entry: EnumEntry) -> SubjectEntry:
    return SubjectEntry(
        subject=subject, id=entry.id, description=entry.description, description_en=entry.description_en
    )


ENUMS = Listed(kind=KIND, read=_read)
