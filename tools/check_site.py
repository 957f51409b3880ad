"""Refuse a built site that would make a reader's browser talk to another host: ``check_site.py FOLDER``."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a browser loads by itself: attributes of loading elements, url() and @import in style sheets.
LOADS = {
    ".html": re.compile(
        r"""<(?!a\b)[a-z]+\b[^>]*?\b(?:src|srcset|href|action|data)\s*=\s*["']?((?:https?:)?//[^"'\s>]+)"""
    ),
    ".css": re.compile(r"""(?:url\(\s*["']?|@import\s+["'])((?:https?:)?//[^"')\s]+)"""),
}


def foreign_loads(site: Path) -> Iterator[tuple[str, str]]:
    """File and address of everything in ``site`` that is fetched from elsewhere."""
    for path in sorted(site.rglob("*")):
        if pattern := LOADS.get(path.suffix):
            for match in pattern.finditer(path.read_text("utf-8")):
                yield path.relative_to(site).as_posix(), match[1]


def main(arguments: list[str]) -> int:
    """Exit code: 0 nothing foreign, 1 something, 2 no site there."""
    if len(arguments) != 1 or not (site := Path(arguments[0])).joinpath("index.html").is_file():
        print("say which built site to check: check_site.py FOLDER", file=sys.stderr)
        return 2
    found = list(foreign_loads(site))
    for page, address in found:
        print(f"{page} loads {address}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
