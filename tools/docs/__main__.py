"""Documentation site: `python -m tools.docs` builds it strictly into site/."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from .architecture import draw_rooms
from .checking import problems_of_site
from .command_page import command_page
from .markdown_pages import write_markdown

ROOT = Path(__file__).parents[2]


def main() -> None:
    docs, site = ROOT / "docs", ROOT / "site"
    (docs / "reference" / "command.md").write_text(command_page())
    draw_rooms(docs / "assets" / "rooms.svg")
    shutil.rmtree(site, ignore_errors=True)
    build = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    if subprocess.run(build, cwd=ROOT, check=False).returncode:  # noqa: S603 - a fixed command
        sys.exit("the site has problems, see above")
    write_markdown(docs, site)
    if problems := problems_of_site(site):
        sys.exit("\n".join(problems))
    print(f"{len(list(site.rglob('*.html')))} pages in {site}")


main()
