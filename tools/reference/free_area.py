"""The pages of the free area: GlobalPlatform's content management, the slot applet, the services that fill slots.

Each attribute of their models is shown, or the page refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.reference.application import because, grounds
from tools.reference.markdown import Column, Sheet, code, grid, notice, require

from kojin_card.spec.free_area import (
    AidSpec,
    CommandSpec,
    ContextSpec,
    NumberSpec,
    PlatformSpec,
    StateSpec,
    TagSpec,
    WordSpec,
)
from kojin_card.spec.service import CodeValue, Service, ServiceField, ServiceFieldType
from kojin_card.spec.service_field import SIZED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kojin_card.spec.access import Access
    from kojin_card.spec.free_area import Named

INTROS = {
    "slot_applet": (
        "The applet whose instances are the slots of the free area (空き領域). No applet of the free area is public,\n"
        "so this one is defined here. Whoever implements it reads\n"
        "[The slot applet for a vendor](../free-area-applet.md), which has the encodings; whoever designs a service\n"
        "reads [A service of your own](../free-area.md). The services that come with the package stand in\n"
        "[Services](services.md), what manages slots in [Content management](globalplatform.md).\n\n"
    ),
    "globalplatform": (
        "How owners' domains and slots get onto the card: the content management of GlobalPlatform, as far as this\n"
        "card has it. What a slot then is: [Slot applet](free-area.md).\n\n"
    ),
}
SERVICES_INTRO = (
    "What stands in `applets_spec/slots`: one file a service, and no code. How to write another:\n"
    "[A service of your own](../free-area.md). On the card each field is a file of its short identifier (SFI): a salt\n"
    "of 16 bytes, then the value in the form that the table says. Every slot also has its hidden descriptor (SFI 29)\n"
    "and its signed manifest (SFI 30): [Slot applet](free-area.md).\n\n"
    "The owner of a slot always reads all of it. A field is read in the state `active` only, by anybody else.\n\n"
)
ANY_COMMAND = (
    "Beside the words of its table any command may give `6700` (length), `6881` (logical channel), `6D00`\n"
    "(instruction unknown) and `6E00` (class unknown). Where P1 or P2 is a parameter it stands as `--`.\n\n"
)
#: octets of a value on the card, by type
FORMS = {
    ServiceFieldType.DIGITS: "ASCII digits",
    ServiceFieldType.ASCII: "ASCII",
    ServiceFieldType.UTF8: "UTF-8",
    ServiceFieldType.DATE: "YYYYMMDD, 4 bytes BCD; written `YYYY-MM-DD`",
    ServiceFieldType.CODE: "ASCII code",
    ServiceFieldType.NUMBER: "4 bytes, big-endian",
    ServiceFieldType.OWNER: "kind (1 byte), then the code in ASCII; written `kind:code`",
    ServiceFieldType.MUNICIPALITY_CODE: "5 ASCII digits (a 6th, the check digit, is checked and left out)",
    ServiceFieldType.CORPORATE_NUMBER: "13 ASCII digits with check digit",
    ServiceFieldType.INSURER_NUMBER: "8 or 6 ASCII digits with check digit",
}


def platform_page(spec: PlatformSpec) -> str:
    """The page of one file of ``applets_spec/free_area``.

    Raises:
        NotShown: a model has an attribute that is not shown.
    """
    shown: list[str] = []
    texts = [notice("applets_spec/free_area")]
    for names, part in _platform_parts(spec):
        shown += names
        texts.append(part)
    require(PlatformSpec, shown)
    return "".join(texts).rstrip("\n") + "\n"


def _platform_parts(spec: PlatformSpec) -> Iterator[tuple[tuple[str, ...], str]]:
    head = f"# {spec.name_en}\n\n{spec.name_ja}; `{spec.id}` in `applets_spec/free_area/{spec.id}.toml`.\n"
    yield ("id", "name_en", "name_ja", "evidence"), f"{head}{grounds(spec.evidence)}\n\n{INTROS.get(spec.id, '')}"
    yield ("aids",), _section("AIDs", AIDS, spec.aids)
    yield ("states",), _states(spec.states)
    yield ("commands",), _commands(spec.commands)
    yield ("tags",), _section("Objects", TAGS, spec.tags)
    yield ("contexts",), _section("Contexts of signatures", CONTEXTS, spec.contexts)
    yield ("numbers",), _section("Numbers", NUMBERS, spec.numbers)


def _section(heading: str, sheet: Sheet[Any], rows: Mapping[str, Any]) -> str:
    return f"## {heading}\n\n{sheet.render(rows.values())}" if rows else ""


def _named(one: Named) -> str:
    return f"`{one.id}` {one.name_en} {one.name_ja}"


NAME: Column[Any] = Column("name", ("id", "name_en", "name_ja"), _named)
KNOWN: tuple[Column[Any], ...] = (
    Column("evidence", ("evidence",), lambda one: one.evidence.level.value),
    Column("source", (), lambda one: because(one.evidence)),
)
AIDS = Sheet(
    AidSpec,
    (
        Column(
            "AID",
            ("aid", "random"),
            lambda one: code(one.aid.hex().upper()) + (f" and {one.random} random bytes" if one.random else ""),
        ),
        NAME,
        *KNOWN,
    ),
)
TAGS = Sheet(
    TagSpec,
    (
        Column("tag", ("tag",), lambda one: one.tag.hex().upper()),
        NAME,
        Column("stands in", ("inside",), lambda one: code(one.inside)),
        Column("GET DATA", ("access",), lambda one: rule(one.access)),
        *KNOWN,
    ),
)
NUMBERS = Sheet(
    NumberSpec,
    (
        Column("number", ("value",), lambda one: one.value),
        NAME,
        Column("READ BINARY", ("access",), lambda one: "" if one.access is None else rule(one.access)),
        *KNOWN,
    ),
)
CONTEXTS = Sheet(ContextSpec, (Column("octets", ("octets",), lambda one: code(one.octets.hex().upper())), NAME, *KNOWN))
STATES = Sheet(
    StateSpec,
    (
        Column("byte", ("value",), lambda one: code(f"{one.value:02X}")),
        NAME,
        Column("next", ("to",), lambda one: ", ".join(code(name) for name in one.to) or "none: it is the end"),
        *KNOWN,
    ),
)
WORDS = Sheet(
    WordSpec,
    (
        Column("word", ("sw",), lambda one: code(f"{one.sw:04X}")),
        Column("English", ("en",), lambda one: one.en),
        Column("日本語", ("ja",), lambda one: one.ja),
    ),
)


def rule(access: Access | None) -> str:
    """An access rule in words."""
    if access is None:
        return "by the rule of each object or file"
    words = {
        "role:terminal": "a terminal",
        "key:slot_pin": "the holder (slot PIN)",
        "role:owner": "the owner",
        "role:issuer": "the issuer",
    }
    alternatives = (
        " together with ".join(words.get(term, term) for term in sorted(one, reverse=True))
        for one in access.alternatives
    )
    return ", or ".join(alternatives) or str(access)


#: by the first state of a file
WHOSE_STATES = {
    "installed": "Each arrow is one STORE DATA of the owner, with a counter one higher.",
    "secured": "Of the card as a whole. Each arrow is one SET STATUS of the issuer.",
}


def _states(states: Mapping[str, StateSpec]) -> str:
    if not states:
        return ""
    arrows = "".join(f"{one.id} --> {other}\n" for one in states.values() for other in one.to)
    table = STATES.render(states.values())
    words = WHOSE_STATES.get(next(iter(states)), "")
    return f"## States\n\n{words}\n\n```text\n{arrows}```\n\n{table}"


def _commands(commands: Mapping[str, CommandSpec]) -> str:
    parts = (_command(one) for one in commands.values())
    return f"## Commands\n\n{ANY_COMMAND}{''.join(parts)}" if commands else ""


def _command(one: CommandSpec) -> str:
    require(
        CommandSpec,
        ("id", "name_en", "name_ja", "evidence", "cla", "ins", "p1", "p2", "access", "states", "words"),
    )
    p1, p2 = ("--" if value is None else f"{value:02X}" for value in (one.p1, one.p2))
    lines = (
        f"### Command `{one.id}`",
        "",
        f"`{one.cla:02X} {one.ins:02X} {p1} {p2}`: {one.name_en}. {one.name_ja}。",
        f"Who: {rule(one.access)}. States: {', '.join(code(state) for state in one.states) or 'any'}.",
        grounds(one.evidence),
    )
    return "\n".join(lines) + f"\n\n{WORDS.render(one.words)}"


# --- services ---------------------------------------------------------------------------------------------------------


def services_page(services: Iterable[Service]) -> str:
    """The services that come with the package.

    Raises:
        NotShown: a model has an attribute that is not shown.
    """
    text = notice("applets_spec/slots") + f"# Services\n\n{SERVICES_INTRO}"
    return (text + "".join(service(one) for one in services)).rstrip("\n") + "\n"


def service(one: Service) -> str:
    """The section of one service."""
    shown: list[str] = []
    texts = []
    for names, part in _service_parts(one):
        shown += names
        texts.append(part)
    require(Service, shown)
    return "".join(texts)


def _service_parts(one: Service) -> Iterator[tuple[tuple[str, ...], str]]:
    yield ("name_en", "name_ja"), f"## {one.name_en} {one.name_ja}\n\n"
    yield ("summary_en", "summary_ja"), f"{one.summary_en}\n\n{one.summary_ja}\n\n"
    yield ("not_en", "not_ja"), f"**{one.not_en}**\n\n**{one.not_ja}**\n\n" if one.not_en else ""
    facts = (
        ("file", f"`{one.id}`, version {one.version}, `applets_spec/slots/{one.source_file}`"),
        ("owners", ", ".join(code(kind.word) for kind in one.owners)),
        ("groups of terminals", ", ".join(code(group) for group in one.groups) or "all"),
        ("slot PIN", "yes, the holder's" if one.pin else "none"),
        ("on moving (引越継続)", "continues" if one.continues else "ends"),
        ("legal basis to name", f"{one.legal_basis_hint_en}. {one.legal_basis_hint_ja}"),
        ("evidence", f"{one.evidence.level.value}: {because(one.evidence)}"),
    )
    names = ("id", "version", "source_file", "owners", "groups", "pin", "continues", "evidence")
    yield (*names, "legal_basis_hint_en", "legal_basis_hint_ja"), grid(("what", ""), facts)
    yield ("fields",), FIELDS.render(one.fields.values())


def _form(one: ServiceField) -> str:
    form = FORMS[one.type]
    if one.type in SIZED:
        count = str(one.minimum) if one.minimum == one.maximum else f"{one.minimum} to {one.maximum}"
        form += f", {count} characters"
    elif one.type is ServiceFieldType.NUMBER:
        form += f", {one.minimum} to {one.maximum}"
    if one.charset:
        form += f", `{one.charset}`"
    if one.values:
        require(CodeValue, ("code", "ja", "en"))
        form += ": " + "; ".join(f"`{value.code}` {value.en} {value.ja}" for value in one.values)
    return f"`{one.type}`: {form}"


def _marks(one: ServiceField) -> str:
    words = [word for word in ("optional", "issued", "expires") if getattr(one, word)]
    return ", ".join([*words, *([f"from the card: `{one.from_card}`"] if one.from_card else [])])


FIELDS = Sheet(
    ServiceField,
    (
        Column("SFI", ("sfi",), lambda one: one.sfi),
        Column(
            "field", ("service", "id", "label_en", "label_ja"),
            lambda one: f"`{one.service}.{one.id}` {one.label_en} {one.label_ja}",
        ),
        Column("form", ("type", "minimum", "maximum", "charset", "values"), _form),
        Column("read by", ("read",), lambda one: rule(one.read)),
        Column("rule", ("rule_octets",), lambda one: code(one.rule_octets.hex().upper()) or "(no byte)"),
        Column("marks", ("optional", "issued", "expires", "from_card"), _marks),
        Column("privacy", ("privacy",), lambda one: one.privacy.value),
        Column("example", ("example",), lambda one: code(one.example)),
        *KNOWN,
    ),
)  # fmt: skip
