"""``demo``: the whole job on a software card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kojin_card.cli.framework import command, option

if TYPE_CHECKING:
    from kojin_card.cli.session import Session


@command(
    "demo",
    option(
        "--folder",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("demo-output"),
        help="demo_folder",
        show_default=True,
    ),
    option("--keep", is_flag=True, help="keep"),
)
def demo(session: Session, folder: Path, keep: bool) -> None:
    """Ten steps, each of which must give what it must."""
    from kojin_card.cli.demo import play

    play(session, folder, keep=keep)
