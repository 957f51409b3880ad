"""Where the package's data files are: the applet specs, the personas and the declared test PKI.

They stand at the top of the checkout and travel inside the wheel; this module is the only one that knows both places.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


def data_root(name: str) -> Traversable:
    """The folder ``applets_spec``, ``fixtures/personas`` or ``fixtures/pki``, as installed or as checked out.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    installed = files("kojin_card").joinpath("_data", *name.split("/"))
    if installed.is_dir():
        return installed
    checkout = Path(__file__).resolve().parents[2].joinpath(*name.split("/"))
    if checkout.is_dir():
        return checkout
    raise FileNotFoundError(f"kojin_card was installed without its data folder {name!r}")
