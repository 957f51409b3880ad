"""The entry point of ``kojin-card``: as little as possible before it is known what is wanted.

``--version`` alone needs neither click nor the locale; everything else is in :mod:`kojin_card.cli.root`, whose commands
are loaded one by one when they are called.
"""

from __future__ import annotations

import contextlib
import sys
import warnings

from kojin_card import __version__


def main() -> None:
    """Run the command line with ``sys.argv`` and exit."""
    if sys.argv[1:] == ["--version"] and sys.stdout is not None:
        with contextlib.suppress(OSError):  # whatever went wrong, the root says it
            sys.stdout.write(f"kojin-card {__version__}\n")
            sys.stdout.flush()
            return
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # a library's warning is a line of Python, and may quote a document
    from kojin_card.cli.root import root

    root.main(prog_name="kojin-card")


if __name__ == "__main__":
    main()
