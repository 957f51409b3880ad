"""Keys at the counter: the owner's file, the card issuer's, a terminal's; and the passphrases that open them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kojin_card.cli.files import MAX_SMALL_BYTES, read_input
from kojin_card.cli.framework import option
from kojin_card.cli.secret_sources import PromptedSecrets
from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.cli.session import Session
    from kojin_card.secret import Secret
    from kojin_card.slots import IssuerKeys, OwnerKeys, OwnerStore, TerminalKey
    from kojin_card.spec.service import Service

_OPERATION = "open a key file"
FILE = click.Path(dir_okay=False)


def owner_key_option(*, required: bool = True, help: str = "slot_keys") -> click.Parameter:
    """``--keys``."""
    return option("--keys", metavar="FILE", type=FILE, help=help, required=required)


def issuer_key_options() -> tuple[click.Parameter, ...]:
    """``--issuer-keys`` and ``--trial-keys``."""
    return (
        option("--issuer-keys", metavar="FILE", type=FILE, help="slot_issuer_keys"),
        option("--trial-keys", is_flag=True, help="slot_trial_keys"),
    )


def services_option() -> click.Parameter:
    """``--services``."""
    path = click.Path(path_type=Path, file_okay=False)
    return option("--services", metavar="FOLDER", type=path, help="slot_services")


def owners_option() -> click.Parameter:
    """``--owners``."""
    return option("--owners", metavar="FILE", type=FILE, help="slot_owners")


def passphrase(session: Session, secrets: str | None, name: str) -> Secret:
    """The passphrase of a key file that is there.

    Raises:
        SecretUnavailable: neither given nor anybody to ask. Cancelled: they gave up.
    """
    source = session.secrets(secrets, of_card=False)
    if isinstance(source, PromptedSecrets):
        label = session.console.text(f"slots.secret.{name}")
        return source.at_hand(name).secret(name, label=label, tries_left=None)
    return source.at_hand(name)


def new_passphrase(session: Session, secrets: str | None, name: str) -> Secret:
    """The passphrase of a key file that is about to be made: asked for twice.

    Raises:
        SecretFormatError: never typed the same way twice. SecretUnavailable: as :func:`passphrase`.
    """
    source = session.secrets(secrets, of_card=False)
    if isinstance(source, PromptedSecrets):
        from kojin_card.cli.commands.pin import AskedTwice

        label = session.console.text(f"slots.secret.{name}")
        return AskedTwice(session, source.at_hand(name)).secret(name, label=label, tries_left=None)
    return source.at_hand(name)


def open_owner_keys(session: Session, file: str, secrets: str | None, name: str = "owner-passphrase") -> OwnerKeys:
    """The owner's keys.

    Raises:
        InputError: no such file, no key file, or another passphrase. SecretUnavailable, Cancelled: no passphrase.
    """
    from kojin_card.cli.files import check_input
    from kojin_card.slots import OwnerKeys

    check_input(file)
    return OwnerKeys.load(Path(file), passphrase(session, secrets, name))


def check_issuer_keys(issuer_keys: str | None, trial_keys: bool) -> None:
    """Exactly one of the two.

    Raises:
        UsageError: neither, or both.
    """
    if (issuer_keys is not None) == trial_keys:
        raise UsageError("name one: --issuer-keys FILE or --trial-keys", operation=_OPERATION)


def open_issuer_keys(session: Session, file: str | None, trial_keys: bool, secrets: str | None) -> IssuerKeys:
    """The card issuer's keys; those for trials are said to be, loudly.

    Raises:
        UsageError: neither, or both. InputError, SecretUnavailable, Cancelled: as :func:`open_owner_keys`.
    """
    from kojin_card.cli.files import check_input
    from kojin_card.slots import IssuerKeys

    check_issuer_keys(file, trial_keys)
    if file is None:
        session.say("slots.trial_keys")
        return IssuerKeys.trial()
    check_input(file)
    return IssuerKeys.load(Path(file), passphrase(session, secrets, "issuer-passphrase"))


def open_terminal_key(session: Session, certificate: str, key: str, secrets: str | None) -> TerminalKey:
    """A terminal's certificate and its private key (PEM, perhaps behind ``terminal-passphrase``).

    Raises:
        InputError: one of them cannot be used, or they do not belong together.
    """
    from kojin_card.slots import TerminalKey

    pem = read_input(key, MAX_SMALL_BYTES)
    secret = passphrase(session, secrets, "terminal-passphrase") if b"ENCRYPTED" in pem else None
    return TerminalKey.load(read_input(certificate, MAX_SMALL_BYTES), pem, secret)


def load_owners(file: str | None) -> OwnerStore:
    """Whom records are believed from: what ``--owners`` names, else ``owners.toml`` of this program's folder, else
    nobody.

    Raises:
        InputError: the file is none.
    """
    from kojin_card.cli import places
    from kojin_card.cli.files import check_input
    from kojin_card.slots import OwnerStore

    if file is not None:
        check_input(file)
        return OwnerStore.load(Path(file))
    own = places.owners_file()
    return OwnerStore.load(own) if own.is_file() else OwnerStore.load()


def load_all_services(folder: Path | None) -> Mapping[str, Service]:
    """The services of the package, and those of one's own folder.

    Raises:
        SpecError: one of them is malformed. InputError: no such folder.
    """
    from kojin_card.spec.service import load_services

    return load_services(folder)


def service_called(services: Mapping[str, Service], name: str) -> Service:
    """The service of that id.

    Raises:
        UsageError: there is none; names those that there are.
    """
    if name not in services:
        known = ", ".join(services)
        raise UsageError(f"there is no such service; there are {known}", operation="find a service")
    return services[name]
