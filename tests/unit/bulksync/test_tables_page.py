"""The page of the tables says what the definitions say."""

from cyclesoft_async.bulksync.resources import ALL
from tools.tables import BEGIN, PAGE, generated


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    _, begin, made = page.partition(BEGIN)
    assert begin + made == generated(), "run `python -m tools.tables`"


def test_every_column_of_a_model_is_explained() -> None:
    lines = generated().splitlines()
    names = {kind.name for kind in ALL}
    table = ""
    for line in lines:
        if line.startswith("## "):
            table = line.strip("# `")
        if table in names and line.startswith("| `"):
            assert not line.endswith("|  |"), f"{table}: {line}"
