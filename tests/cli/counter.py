"""A counter for tests: two municipalities with keys, terminals, and a card on which one has issued two services.

Everything is made once and copied; the passphrases' scrypt is the cheapest there is.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from kojin_card import connect
from kojin_card.cli.wording import JST
from kojin_card.secret import Secret
from kojin_card.simulator import SoftCard, make_card
from kojin_card.slots import (
    CardIssuer,
    IssuerKeys,
    OwnerKeys,
    OwnerStore,
    SlotIssuer,
    certify_terminal,
    terminal_key_pair,
)
from kojin_card.spec.owner import Owner
from kojin_card.spec.service import load_services

CITY, TOWN, FIRM = "municipality:13221", "municipality:13103", "private:7000012050002"
PASSPHRASE, SLOT_PIN = "open-the-city-keys", "2580"
KEYS: Mapping[str, str] = {"owner-passphrase": PASSPHRASE}
WITH_PIN = {**KEYS, "slot-pin": SLOT_PIN}
BASIS = "図書館条例第5条"
LIBRARY = {"user_number": "L00482913", "facility_group": "library", "category": "general", "valid_until": "2099-03-31"}
SEAL = {"registration_number": "0098765", "registered_on": "2026-11-02", "municipality_code": "13221"}
#: what may not show where it was not asked for
PRIVATE = ("L00482913", "0098765", PASSPHRASE, SLOT_PIN)
COST = 14


@dataclass(frozen=True)
class Counter:
    """Where the files are.

    Attributes:
        folder: ``city.keys``, ``town.keys``, ``owners.toml``, ``cards.toml``, ``gate.*``, ``kiosk.*``,
            ``library.toml``, ``seal.toml``; cards ``bare.json`` (nothing in its free area), ``room.json`` (domains),
            ``card.json`` (the city has issued a library card), ``both.json`` (and a seal registration), ``seal.json``
            (that alone), ``stopped.json`` (the library card is suspended), ``moved.json`` (handed over by the file
            ``moved``); ``next.keys``: the city's next keys; ``part.toml``: what the card does not know itself.
    """

    folder: Path

    def copy(self, to: Path) -> Counter:
        """The same files elsewhere."""
        for one in self.folder.iterdir():
            shutil.copy(one, to / one.name)
        return Counter(to)


def toml(values: Mapping[str, str]) -> str:
    return "".join(f'{name} = "{value}"\n' for name, value in values.items())


@cache
def make_counter(folder: Path) -> Counter:
    """Make all of it, once."""
    now = datetime.now(UTC)
    yesterday = now - timedelta(days=1)
    today = now.astimezone(JST).date()
    owners, keys = OwnerStore(), {}
    for name, owner in (("city", CITY), ("town", TOWN), ("firm", FIRM)):
        made = OwnerKeys.create(Owner.parse(owner), begin=today - timedelta(days=30), bits=128)
        made.save(folder / f"{name}.keys", Secret(PASSPHRASE), cost=COST)
        keys[name] = made
        if name == "city":
            made.rotated(today).save(folder / "next.keys", Secret(PASSPHRASE), cost=COST)
        if name != "firm":
            owners = owners.with_entry(made.public({"city": "架空市", "town": "見本区"}[name], name.title()))
    (folder / "owners.toml").write_text(owners.toml(), "utf-8")
    IssuerKeys.create(bits=128).save(folder / "issuer.keys", Secret(PASSPHRASE), cost=COST)
    begin, end = (now + timedelta(days=days) for days in (-1, 30))
    times = f"as_of = {begin.isoformat()}\nnext_update = {end.isoformat()}"
    (folder / "cards.toml").write_text(f'schema = 1\n{times}\nothers = "in_force"\n', "utf-8")
    (folder / "library.toml").write_text(toml(LIBRARY), "utf-8")
    (folder / "seal.toml").write_text(toml(SEAL), "utf-8")
    part = {name: value for name, value in SEAL.items() if name != "municipality_code"}
    (folder / "part.toml").write_text(toml(part), "utf-8")
    services = load_services()
    for name, group, service in (("gate", "library", "facility"), ("kiosk", "kiosk", "seal_registration")):
        private, public = terminal_key_pair(None)
        certificate = certify_terminal(
            keys["city"],
            public,
            name=name.upper(),
            group=group,
            fields=sorted(one.sfi for one in services[service].fields.values()),
            issued=today,
            expiry=today + timedelta(days=30),
        )
        for suffix, data in ((".pem", private), ("-public.pem", public), (".cert", certificate)):
            (folder / f"{name}{suffix}").write_bytes(data)
    _cards(folder, keys, yesterday, owners)
    return Counter(folder)


def _cards(folder: Path, keys: Mapping[str, OwnerKeys], at: datetime, owners: OwnerStore) -> None:
    state = make_card("adult", now=at)
    SoftCard.create(folder / "bare.json", state).close()
    shutil.copy(folder / "bare.json", folder / "room.json")
    with connect(simulator=folder / "room.json") as card:
        issuer = CardIssuer(card.channel, IssuerKeys.trial())
        issuer.create_owner(keys["city"])
        issuer.create_owner(keys["town"])
    steps: tuple[tuple[str, str, str, dict[str, str], Secret | None], ...] = (
        ("room.json", "card.json", "facility", LIBRARY, None),
        ("card.json", "both.json", "seal_registration", SEAL, Secret(SLOT_PIN)),
        ("room.json", "seal.json", "seal_registration", SEAL, Secret(SLOT_PIN)),
    )
    for source, target, service, values, pin in steps:
        shutil.copy(folder / source, folder / target)
        with connect(simulator=folder / target) as card:
            desk = SlotIssuer(card.channel, keys["city"], load_services(), owners=owners, clock=lambda: at)
            desk.issue(service, values, legal_basis=BASIS, pin=pin)
    for target in ("stopped.json", "moved.json"):
        shutil.copy(folder / "card.json", folder / target)
        with connect(simulator=folder / target) as card:
            desk = SlotIssuer(card.channel, keys["city"], load_services(), owners=owners, clock=lambda: at)
            (slot,) = desk.slots()
            if target == "stopped.json":
                desk.suspend(slot.aid)
            else:
                desk.hand_over(slot.aid, Owner.parse(TOWN), (folder / "moved").write_bytes)


def fields(*values: str) -> list[Any]:
    """``--field`` for each."""
    return [word for value in values for word in ("--field", value)]
