"""The chapter of the demonstration about the free area: two municipalities, a library's gate, a move, a lost card."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from kojin_card.cli.counter.receipt import Receipt, masked_card, receipt_page
from kojin_card.cli.counter.view import area_blocks, shown_aid
from kojin_card.cli.demo import Command, Outcome, Stage, Step, expect
from kojin_card.cli.render import Block, Fields, Line
from kojin_card.cli.wording import JST
from kojin_card.errors import NoSlot
from kojin_card.secret import Secret
from kojin_card.verdict import Indication

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kojin_card.card import Card
    from kojin_card.slots import Issued, OwnerKeys, OwnerStore, SlotIssuer, SlotTerminal

_CARD = "kojin-card --simulator card.json"
_CITY, _TOWN = ("city", "municipality:13221"), ("town", "municipality:13103")
_PASSPHRASE, _SLOT_PIN = "only-for-the-demonstration", "2580"
_SEAL_BASIS, _CITY_BASIS, _TOWN_BASIS = "印鑑条例第9条", "図書館条例第5条", "図書館条例第7条"
_SEAL = {"registration_number": "0012345", "registered_on": "2026-11-02", "municipality_code": "13221"}
_LIBRARY = {"user_number": "L00482913", "facility_group": "library", "category": "general"}
#: of scrypt, the least: the passphrase stands beside the file
_COST = 14
_OWNERS, _STATUS, _LEDGER = "owners.toml", "cards.toml", "hand-overs"
_GATE, _KIOSK = ("gate", "library", "facility"), ("kiosk", "kiosk", "seal_registration")


class Town:
    """The free area as the steps share it: keys, owners, slots. It lives as long as one demonstration.

    Attributes:
        library, moved: values of the library card, here and in the next town.
        keys: by ``city`` and ``town``. terminals: certificate and key of ``gate`` and ``kiosk``.
        slots: AIDs of what was issued.
    """

    def __init__(self, stage: Stage) -> None:
        from kojin_card.slots import OwnerKeys, OwnerStore
        from kojin_card.spec.owner import Owner

        self.stage = stage
        self.today: date = stage.start.astimezone(JST).date()
        self.library = {**_LIBRARY, "valid_until": f"{self.today.year + 2}-03-31"}
        self.moved = {**self.library, "user_number": "T7731"}
        self.keys: dict[str, OwnerKeys] = {}
        self.owners: OwnerStore = OwnerStore()
        self.terminals: dict[str, tuple[bytes, bytes]] = {}
        self.slots: dict[str, bytes] = {}
        for name, owner in (_CITY, _TOWN):
            made = OwnerKeys.create(Owner.parse(owner), begin=self.today)
            self.keys[name] = made
            names = stage.console.text(f"demo.{name}"), stage.console.text(f"demo.{name}")
            self.owners = self.owners.with_entry(made.public(*names))

    def desk(self, name: str, card: Card) -> SlotIssuer:
        """A municipality's desk."""
        from kojin_card.slots import FileLedger, SlotIssuer
        from kojin_card.spec.service import load_services

        ledger = FileLedger(self.stage.path(_LEDGER))
        return SlotIssuer(
            card.channel,
            self.keys[name],
            load_services(),
            owners=self.owners,
            clock=self.stage.session.now,
            ledger=ledger,
        )

    def terminal(self, name: str, card: Card) -> SlotTerminal:
        """A terminal: its own key, and nobody else's."""
        from kojin_card.slots import SlotTerminal, StaticStatus, TerminalKey
        from kojin_card.spec.service import load_services

        return SlotTerminal(
            card.channel,
            TerminalKey.load(*self.terminals[name]),
            self.owners,
            load_services(),
            status=StaticStatus.load(self.stage.path(_STATUS)),
            clock=self.stage.session.now,
        )


def _town(stage: Stage) -> Town:
    if stage.town is None:
        stage.town = Town(stage)
    return stage.town


def area(stage: Stage) -> Outcome:
    """Keys of two municipalities; the card's issuer gives each a domain."""
    from kojin_card.slots import CardIssuer, IssuerKeys

    town = _town(stage)
    for name, keys in town.keys.items():
        keys.save(stage.path(f"{name}.keys"), Secret(_PASSPHRASE), cost=_COST)
        stage.files[f"{name}.keys"] = "owner_keys"
        given = f"owner-passphrase={_PASSPHRASE}\nslot-pin={_SLOT_PIN}\n"
        stage.leave(f"{name}.secrets", given.encode("ascii"), "owner_secrets", private=True)
    stage.leave(_OWNERS, town.owners.toml().encode("utf-8"), "owners")
    with stage.card() as card:
        issuer = CardIssuer(card.channel, IssuerKeys.trial())
        for keys in town.keys.values():
            issuer.create_owner(keys)
        seen = issuer.area()
    expect(len(seen.domains) == 2 and not any(domain.slots for domain in seen.domains))
    commands = [
        Command(f"{_CARD} slot-owner create --trial-keys --keys {name}.keys --secrets {name}.secrets --yes")
        for name in town.keys
    ]
    listed = Command(f"{_CARD} slot list --trial-keys --owners {_OWNERS}")
    return Outcome(stage.text("area.about"), area_blocks(seen, town.owners, stage.console), [*commands, listed])


def _issue_line(service: str, owner: str, basis: str, values: str, receipt: str) -> Command:
    return Command(
        f"{_CARD} slot issue {service} --keys {owner}.keys --owners {_OWNERS} --legal-basis {basis} --fields {values}"
        f" --receipt {receipt} --force --secrets {owner}.secrets --yes"
    )


def _values(stage: Stage, name: str, values: Mapping[str, str]) -> None:
    text = "".join(f'{field} = "{value}"\n' for field, value in values.items())
    stage.leave(f"{name}.toml", text.encode("utf-8"), f"{name}_values", private=True)


def _receipt(stage: Stage, name: str, issued: Issued, number: str) -> None:
    receipt = Receipt(
        done="issue",
        service=issued.service,
        version=issued.service_version,
        name_ja=issued.service_name_ja,
        name_en=issued.service_name_en,
        owner=str(issued.owner),
        owner_name=stage.text("city"),
        aid=shown_aid(issued.aid),
        card=masked_card(number),
        counter=issued.counter,
        state="active",
        legal_basis=issued.legal_basis,
        made=stage.session.now(),
    )
    stage.leave(f"{name}-receipt.html", receipt_page(receipt, stage.console), "receipt", private=True)


def services(stage: Stage) -> Outcome:
    """A seal registration and a library card, with receipts."""
    from kojin_card.cli.counter.desk import card_number

    town = _town(stage)
    _values(stage, "seal", _SEAL)
    _values(stage, "library", town.library)
    blocks: list[Block] = []
    with stage.card() as card:
        number, desk = card_number(card), town.desk("city", card)
        for name, service, basis, values, pin in (
            ("seal", "seal_registration", _SEAL_BASIS, _SEAL, Secret(_SLOT_PIN)),
            ("library", "facility", _CITY_BASIS, town.library, None),
        ):
            issued = desk.issue(service, values, legal_basis=basis, pin=pin)
            expect(issued.written and issued.counter >= 1)
            town.slots[name] = issued.aid
            _receipt(stage, name, issued, number)
            shown = issued.service_name_ja if stage.session.lang == "ja" else issued.service_name_en
            blocks.append(stage.good(stage.text("services.outcome", service=shown, basis=basis)))
    commands = [
        _issue_line("seal_registration", "city", _SEAL_BASIS, "seal.toml", "seal-receipt.html"),
        _issue_line("facility", "city", _CITY_BASIS, "library.toml", "library-receipt.html"),
        Command(f"{_CARD} slot list"),
        Command(f"{_CARD} slot list --keys city.keys --owners {_OWNERS} --secrets city.secrets"),
    ]
    return Outcome(stage.text("services.about", apdus=stage.sent), blocks, commands)


def _show_line(terminal: str, *more: str, code: int = 0) -> Command:
    line = f"{_CARD} slot show --terminal {terminal}.cert --terminal-key {terminal}.pem --owners {_OWNERS}"
    return Command(" ".join([line, f"--status {_STATUS}", *more]), code)


def _certify(stage: Stage, terminal: tuple[str, str, str]) -> Command:
    """A terminal makes its key, and the city certifies it."""
    from kojin_card.slots import certify_terminal, terminal_key_pair
    from kojin_card.spec.service import load_services

    name, group, service = terminal
    town = _town(stage)
    private, public = terminal_key_pair(None)
    certificate = certify_terminal(
        town.keys["city"],
        public,
        name=name.upper(),
        group=group,
        fields=sorted(one.sfi for one in load_services()[service].fields.values()),
        issued=town.today,
        expiry=town.today + timedelta(days=30),
    )
    town.terminals[name] = certificate, private
    stage.leave(f"{name}.pem", private, "terminal_key", private=True)
    stage.leave(f"{name}-public.pem", public, "terminal_public")
    stage.leave(f"{name}.cert", certificate, "terminal_certificate")
    return Command(
        f"kojin-card slot-issuer certify-terminal {name}-public.pem --keys city.keys --service {service}"
        f" --terminal-name {name.upper()} --group {group} -o {name}.cert --force --secrets city.secrets"
    )


def gate(stage: Stage) -> Outcome:
    """A library's gate reads the library card, and is not let into the seal registration."""
    from kojin_card.spec.service import load_services

    begin, end = (stage.start + timedelta(days=days) for days in (-1, 30))
    status = f'schema = 1\nas_of = {begin.isoformat()}\nnext_update = {end.isoformat()}\nothers = "in_force"\n'
    stage.leave(_STATUS, status.encode("ascii"), "standing")
    commands = [_certify(stage, _GATE), _certify(stage, _KIOSK)]
    town = _town(stage)
    with stage.card() as card:
        terminal = town.terminal("gate", card)
        reading = terminal.read(service="facility")
        refused = False
        try:
            terminal.read(service="seal_registration")
        except NoSlot:
            refused = True
    expect(
        refused and reading.aid == town.slots["library"] and {**reading.values, **town.library} == dict(reading.values)
    )
    lang, known = stage.session.lang, load_services()["facility"].fields
    rows = [
        (known[name].label(lang), known[name].words(value, lang))
        for name, value in reading.values.items()
        if name in town.library
    ]
    return Outcome(
        stage.text("gate.about"),
        [
            Fields(rows),
            *stage.verdict(reading.verdict, Indication.TOTAL_PASSED),
            stage.good(stage.text("gate.refused")),
        ],
        [
            *commands,
            _show_line("gate", "--service facility"),
            _show_line("gate", "--service seal_registration", code=8),
        ],
    )


def moved(stage: Stage) -> Outcome:
    """The library card goes with its holder to another municipality."""
    town = _town(stage)
    _values(stage, "moved", town.moved)
    with stage.card() as card:
        made: list[bytes] = []
        town.desk("city", card).hand_over(town.slots["library"], town.keys["town"].owner, made.append)
        stage.leave("move.handover", made[-1], "hand_over", private=True)
        issued = town.desk("town", card).take_over(made[-1], town.moved, legal_basis=_TOWN_BASIS)
    stage.files[_LEDGER] = "ledger"
    stage.path(f"{_LEDGER}.lock").unlink(missing_ok=True)
    expect(issued.former_owner == town.keys["city"].owner and issued.aid != town.slots["library"])
    town.slots["moved"] = issued.aid
    commands = [
        Command(
            f"{_CARD} slot move --keys city.keys --service facility --to {_TOWN[1]} -o move.handover --force"
            f" --owners {_OWNERS} --secrets city.secrets --yes"
        ),
        Command(
            f"{_CARD} slot move --keys town.keys --take-over move.handover --owners {_OWNERS} --ledger {_LEDGER}"
            f" --legal-basis {_TOWN_BASIS} --fields moved.toml --secrets town.secrets --yes"
        ),
    ]
    outcome = stage.good(stage.text("moved.outcome", old=stage.text("city"), new=stage.text("town")))
    return Outcome(stage.text("moved.about"), [outcome], commands)


def lost(stage: Stage) -> Outcome:
    """A lost card: the seal registration is suspended, and a kiosk finds that out by itself."""
    town = _town(stage)
    pin = Secret(_SLOT_PIN)
    with stage.card() as card:
        before = town.terminal("kiosk", card).read(service="seal_registration", pin=pin)
        changed = town.desk("city", card).suspend(town.slots["seal"])
        after = town.terminal("kiosk", card).read(service="seal_registration", pin=pin)
    expect(changed.state == "suspended")
    show = ("--service seal_registration", "--secrets city.secrets")
    commands = [
        _show_line("kiosk", *show),
        Command(f"{_CARD} slot suspend --keys city.keys --service seal_registration --secrets city.secrets --yes"),
        _show_line("kiosk", *show, code=20),
    ]
    return Outcome(
        stage.text("lost.about"),
        [
            *stage.verdict(before.verdict, Indication.TOTAL_PASSED),
            Line(stage.text("lost.suspended")),
            *stage.verdict(after.verdict, Indication.TOTAL_FAILED),
        ],
        commands,
    )


STEPS: Sequence[Step] = (
    ("area", area),
    ("services", services),
    ("gate", gate),
    ("moved", moved),
    ("lost", lost),
)
