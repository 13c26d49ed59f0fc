"""The base of models that hold people's data."""

from __future__ import annotations

from msgspec import Struct


class Model(Struct, frozen=True, kw_only=True, gc=False):
    """A struct whose `repr()` shows whole-number ids only, as its texts are people's data."""

    def __repr__(self) -> str:
        """Show the ids."""
        found = ((name, getattr(self, name)) for name in self.__struct_fields__ if _is_id(name))
        # int() shows the number of an enum's member, not its name.
        ids = ", ".join(
            f"{name}={int(value)}"
            for name, value in found
            if isinstance(value, int) and not isinstance(value, bool)
        )
        return f"{type(self).__name__}({ids})"


def _is_id(name: str) -> bool:
    return name.endswith(("_id", "invoice_number", "transaction_number"))
