"""The page of one application, from the models of ``kojin_card.spec``: each attribute is shown, or the page refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tools.reference.layouts import layout, legend
from tools.reference.markdown import Column, Sheet, code, notice, require

from kojin_card.spec.access import Access
from kojin_card.spec.messaging import SecureMessagingSpec
from kojin_card.spec.model import (
    ApplicationSpec,
    Change,
    ChangeCommand,
    DigestSpec,
    Evidence,
    EvidenceLevel,
    FieldSpec,
    FileSpec,
    KeyKind,
    KeySpec,
    ObjectSpec,
    RecordSpec,
    SchemeSpec,
    SecretFormat,
    SignatureSpec,
    Structure,
    Tries,
)
from kojin_card.spec.unset import Unset
from kojin_card.spec.variant import VariantSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

LEVELS = tuple(level.value for level in EvidenceLevel)
COMMANDS = {
    ChangeCommand.CHANGE_REFERENCE_DATA: "`00 24 01 80`",
    ChangeCommand.CHANGE_KEY: "`80 32 00 80`",
    ChangeCommand.NONE: "cannot",
}
WRAPS = {"none": "as given, PKCS#1 v1.5", "digest_info": "in a DigestInfo, PKCS#1 v1.5", "pss": "PSS"}


def _signed(scheme: SchemeSpec) -> str:
    return WRAPS[scheme.wrap] if scheme.algorithm == "rsa" else "the hash as given, ECDSA; r and s without DER"


def because(evidence: Evidence) -> str:
    """Where a fact is from."""
    require(Evidence, ("level", "source", "note"))
    return ". ".join(filter(None, (evidence.source, evidence.note)))


def grounds(evidence: Evidence) -> str:
    """How well a fact is known and where from, as a sentence."""
    return f"Evidence: {evidence.level.value} ({because(evidence)})."


class Page:
    """The sections of one application; they refer to each other by the application's own ids."""

    def __init__(self, spec: ApplicationSpec) -> None:
        self.spec = spec

    # --- cells ---

    def rule(self, access: Access) -> str:
        """An access rule in words, with the file ids of the keys that it names."""
        return " or ".join(
            " and ".join(self._term(term) for term in sorted(alternative)) for alternative in access.alternatives
        ) or str(access)

    def _term(self, term: str) -> str:
        kind, _, name = term.partition(":")
        return f"`{name}` ({self.spec.keys[name].file_id.hex().upper()})" if kind == "key" else f"role {name}"

    def _content(self, file: FileSpec) -> str:
        if file.records:
            require(RecordSpec, ("number", "layout"))
            return "; ".join(f"record {one.number}: {_link(one.layout)}" for one in file.records)
        return "" if file.structure is Structure.UNKNOWN else _link(file.layout)

    def _form(self, key: KeySpec) -> str:
        if key.format is None:
            return ""
        require(SecretFormat, ("charset", "minimum", "maximum", "requires", "fold_upper"))
        form = key.format
        size = str(form.minimum) if form.minimum == form.maximum else f"{form.minimum} to {form.maximum}"
        needs = "".join(f", at least one {one}" for one in form.requires)
        return f"{size} {form.charset.replace('_', ' ')}{needs}" + (", sent in upper case" if form.fold_upper else "")

    def _tries(self, key: KeySpec) -> str:
        if key.tries is None:
            return ""
        require(Tries, ("count", "evidence"))
        evidence = key.tries.evidence
        return f"{key.tries.count or 'unknown'} ({evidence.level.value}: {because(evidence)})"

    def _unset(self, key: KeySpec) -> str:
        if key.unset is None:
            return ""
        require(Unset, ("value", "file", "field", "meaning", "evidence"))
        unset = key.unset
        told = f"{unset.evidence.level.value}: {because(unset.evidence)}"
        return f"`{unset.value.hex().upper()}` while `{unset.field}` of `{unset.file}` is {unset.meaning} ({told})"

    def _change(self, key: KeySpec) -> str:
        if key.change is None:
            return ""
        require(Change, ("command", "after", "evidence"))
        change = key.change
        told = f"{change.evidence.level.value}: {because(change.evidence)}"
        return f"{COMMANDS[change.command]} after {self.rule(change.after)} ({told})"

    def _use(self, key: KeySpec) -> str:
        parts = [self.rule(key.use)] if key.use is not None else []
        parts += [", ".join(code(one) for one in key.schemes)] if key.schemes else []
        parts += ["INTERNAL AUTHENTICATE (`00 88 00`)"] if key.internal_authentication else []
        return "; ".join([*parts, *(["blocked on every card as issued"] if key.issued_blocked else [])])

    def _covered(self, signature: SignatureSpec) -> str:
        if signature.of_file:
            return f"every object of file `{signature.of_file}`, with tag and length"
        how = "their values alone" if signature.values else "with tag and length"
        groups = [", ".join(code(name) for name in group) for group in signature.covers]
        if len(groups) == 1:
            return f"{groups[0]}, {how}"
        joined = "; ".join(f"({number}) {group}" for number, group in enumerate(groups, 1))
        return f"one DigestInfo over the joined digests of {joined}; each {how}"

    def _not_covered(self, signature: SignatureSpec) -> str:
        """Fields of the file that no group names, nor are inside one that does."""
        found = self.spec.layout_of(signature.file)
        covered = {name for group in signature.covers for name in group} | {signature.field}
        return ", ".join(code(name) for name in _outside(found.fields, covered)) if found else ""

    def _digested(self, digest: DigestSpec) -> str:
        if digest.part == "physical":
            return f"every byte of file `{digest.of_file}`, filler included"
        return f"the value of the outermost object of file `{digest.of_file}`, from just after `{digest.after}`"

    # --- tables ---

    def files(self) -> Sheet[FileSpec]:
        """Working elementary files."""
        return Sheet(
            FileSpec,
            (
                Column("file", ("file_id",), lambda one: one.file_id.hex().upper()),
                Column("name", ("id", "name_en", "name_ja"), _named),
                Column("structure", ("structure",), lambda one: one.structure.value),
                Column("bytes", ("size",), lambda one: one.size or ""),
                Column("read after", ("read",), lambda one: self.rule(one.read)),
                Column("content", ("layout", "records"), self._content),
                *_known("privacy"),
            ),
        )

    def keys(self) -> Sheet[KeySpec]:
        """Internal elementary files."""
        return Sheet(
            KeySpec,
            (
                Column("file", ("file_id",), lambda one: one.file_id.hex().upper()),
                Column("name", ("id", "name_en", "name_ja"), _named),
                Column("kind", ("kind",), lambda one: one.kind.value.replace("_", " ")),
                Column("secret", ("secret",), lambda one: code(one.secret)),
                Column("form", ("format",), self._form),
                Column("tries", ("tries",), self._tries),
                Column("change", ("change",), self._change),
                Column("when nobody set it", ("unset",), self._unset),
                Column("use", ("use", "schemes", "issued_blocked", "internal_authentication"), self._use),
                *_known(),
            ),
        )

    def objects(self) -> Sheet[ObjectSpec]:
        """What GET DATA returns."""
        words = {"long": "extended Le only", "optional": "not on every card", "everywhere": "any application current"}
        return Sheet(
            ObjectSpec,
            (
                Column("tag", ("tag",), lambda one: one.tag.hex().upper()),
                Column("name", ("id", "name_en", "name_ja"), _named),
                Column("bytes", ("size",), lambda one: one.size or ""),
                Column("read after", ("read",), lambda one: self.rule(one.read)),
                Column("content", ("layout",), lambda one: _link(one.layout)),
                Column(
                    "answers", tuple(words), lambda one: ", ".join(words[key] for key in words if getattr(one, key))
                ),
                *_known("privacy"),
            ),
        )

    def schemes(self) -> Sheet[SchemeSpec]:
        """What P1 of the signature command means."""
        return Sheet(
            SchemeSpec,
            (
                Column("P1", ("p1",), lambda one: f"`{one.p1:02X}`"),
                Column("name", ("id",), lambda one: code(one.id)),
                Column("input", ("minimum", "maximum"), lambda one: f"{_range(one.minimum, one.maximum)} bytes"),
                Column("card hashes", ("hashes",), lambda one: "SHA-256" if one.hashes else "no"),
                Column("what is signed", ("wrap", "algorithm"), _signed),
                *_known(),
            ),
        )

    def digests(self) -> Sheet[DigestSpec]:
        """What a digest covers."""
        return Sheet(
            DigestSpec,
            (
                Column(
                    "digest", ("id", "file", "field"), lambda one: f"`{one.id}`: `{one.field}` of file `{one.file}`"
                ),
                Column("algorithm", ("algorithm",), lambda one: one.algorithm),
                Column("covers", ("of_file", "part", "after"), self._digested),
                *_known(),
            ),
        )

    def signatures(self) -> Sheet[SignatureSpec]:
        """What a signature covers, and what not."""
        return Sheet(
            SignatureSpec,
            (
                Column(
                    "signature", ("id", "file", "field"), lambda one: f"`{one.id}`: `{one.field}` of file `{one.file}`"
                ),
                Column("scheme", ("scheme",), lambda one: code(one.scheme)),
                Column("covers", ("covers", "values", "of_file"), self._covered),
                Column("does not cover", (), self._not_covered),
                Column("verified with", ("signer",), lambda one: _signer(one.signer)),
                *_known(),
            ),
        )

    def variants(self) -> Sheet[VariantSpec]:
        """Other readings of the application."""
        return Sheet(
            VariantSpec,
            (
                Column("variant", ("id", "name_en", "name_ja"), _named),
                Column("what differs", ("aid", "read", "file_ids", "last_command"), self._differs),
                *_known(),
            ),
        )

    def _differs(self, variant: VariantSpec) -> str:
        parts = [f"AID `{variant.aid.hex().upper()}`"] if variant.aid else []
        parts += [f"`{name}`, read after: {self.rule(rule)}" for name, rule in variant.read.items()]
        parts += [f"`{name}` is {file_id.hex().upper()}" for name, file_id in variant.file_ids.items()]
        return "; ".join([*parts, *(["`80 FC` answers"] if variant.last_command else [])])

    def secure_messaging(self) -> str:
        """What the application makes of the delivery of a session key."""
        secure = self.spec.secure_messaging
        if secure is None:
            return ""
        require(SecureMessagingSpec, ("key_file", "after", "refused", "evidence"))
        parts = [] if secure.refused is None else [f"Key delivery (`80 AE`) is refused with `{secure.refused:04X}`."]
        parts += (
            [f"A session key is encrypted for the key in `{secure.key_file}` (`80 AE`)."] if secure.key_file else []
        )
        parts += [f"To be verified before: {self.rule(secure.after)}."] if secure.after != Access() else []
        return f"## Secure messaging\n\n{' '.join([*parts, grounds(secure.evidence)])}\n\n"

    # --- what is not known ---

    def unknown(self) -> Iterator[str]:
        """What no source says, as the specs have it: unknown files and contents, and what rests on our assumption."""
        spec = self.spec
        for file in spec.files.values():
            bare = not file.layout and not any(one.layout for one in file.records)
            if bare or _assumed(file.evidence):
                yield f"File {file.file_id.hex().upper()} `{file.id}`: {because(file.evidence)}"
        for key in spec.keys.values():
            if key.kind in (KeyKind.UNKNOWN, KeyKind.PUBLIC_KEY) or _assumed(key.evidence):
                yield f"Key {key.file_id.hex().upper()} `{key.id}`: {because(key.evidence)}"
            for what, part in (("tries", key.tries), ("change", key.change)):
                if part is not None and _assumed(part.evidence):
                    yield f"Key {key.file_id.hex().upper()} `{key.id}`, {what}: {because(part.evidence)}"
        for one in spec.objects.values():
            if not one.layout or _assumed(one.evidence):
                yield f"Object {one.tag.hex().upper()} `{one.id}`: {because(one.evidence)}"
        if spec.secure_messaging is not None and _assumed(spec.secure_messaging.evidence):
            yield f"Secure messaging: {because(spec.secure_messaging.evidence)}"
        for kind, tables in self._others():
            for table in tables.values():
                if _assumed(table.evidence):
                    yield f"{kind} `{table.id}`: {because(table.evidence)}"
                elif table.evidence.note:
                    yield f"{kind} `{table.id}`: {table.evidence.note}"
        for shape in spec.layouts.values():
            for inner in shape.walk():
                if inner.name.startswith("unknown"):
                    yield f"Layout `{shape.id}`, field `{inner.name}`: {because(shape.evidence)}"
        open_ended = [
            one
            for one in spec.files.values()
            if one.size is None and (found := spec.layout_of(one.id)) and found.filler
        ]
        if open_ended:
            listed = ", ".join(one.file_id.hex().upper() for one in open_ended)
            yield f"How much `FF` filler follows in {listed}: card.md §13"
        if spec.evidence.note:
            yield spec.evidence.note

    def _others(self) -> tuple[tuple[str, Mapping[str, Any]], ...]:
        spec = self.spec
        return (
            ("Scheme", spec.schemes),
            ("Digest", spec.digests),
            ("Signature", spec.signatures),
            ("Layout", spec.layouts),
            ("Variant", spec.variants),
        )

    # --- the page ---

    def sections(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Attributes of the application, and the Markdown that shows them. A new one needs a line here."""
        spec = self.spec
        yield ("name_en",), f"# {spec.name_en}\n\n"
        where = f"`{spec.id}` in `applets_spec/{spec.source_file}`"
        yield ("name_ja", "aid", "source_file", "id"), f"{spec.name_ja}, AID `{spec.aid.hex().upper()}`; {where}.\n"
        yield ("evidence",), f"{grounds(spec.evidence)}\n"
        yield ("power_on",), "Current after reset.\n" if spec.power_on else ""
        yield ("optional",), "Not on every card.\n" if spec.optional else ""
        locked = f"SELECT answers 6283 while `{spec.locked_with}` is blocked.\n" if spec.locked_with else ""
        yield ("locked_with",), locked
        yield ("last_command",), "The last-command indicator (`80 FC`) answers.\n" if spec.last_command else ""
        yield ("order",), f"Place among the applications when a prefix is selected: {spec.order} (assumption).\n"
        named = (
            f"`{spec.default_key}` ({spec.keys[spec.default_key].file_id.hex().upper()})" if spec.default_key else ""
        )
        yield ("default_key",), f"The signature command with P2 = 00 uses {named}.\n\n" if named else "\n"
        yield ("secure_messaging",), self.secure_messaging()
        yield ("files",), _section("Files", self.files(), spec.files)
        yield ("objects",), _section("Data objects", self.objects(), spec.objects)
        yield ("keys",), _section("Keys", self.keys(), spec.keys)
        yield ("schemes",), _section("Signature schemes", self.schemes(), spec.schemes)
        yield ("digests",), _section("What a digest covers", self.digests(), spec.digests)
        yield ("signatures",), _section("What a signature covers", self.signatures(), spec.signatures)
        yield ("variants",), _section("Other readings", self.variants(), spec.variants, VARIANTS)
        shapes = "".join(layout(one, grounds(one.evidence)) for one in spec.layouts.values())
        yield ("layouts",), f"## Layouts\n\n{LAYOUTS} {legend(spec.layouts.values())}\n\n{shapes}" if shapes else ""

    def render(self, examples: str) -> str:
        """The whole page.

        Raises:
            NotShown: the application, or one of its parts, has an attribute that is not shown.
        """
        sections = list(self.sections())
        require(ApplicationSpec, (name for names, _ in sections for name in names))
        unknown = list(dict.fromkeys(self.unknown()))
        listed = "".join(f"- {one}.\n" for one in unknown) or "Nothing that the specs say of it is in doubt.\n"
        rest = f"## Example\n\n{examples}## Not known\n\n{UNKNOWN}\n\n{listed}"
        page = notice("applets_spec and fixtures/transcripts") + "".join(text for _, text in sections) + rest
        return page.rstrip("\n") + "\n"


LAYOUTS = (
    "`at` is the offset of an object's first byte from the start of the file, record or data object, where it is the\n"
    "same on every card; `length` is the number of bytes of its value. A dot stands before what is inside the object\n"
    "above."
)
VARIANTS = (
    "Cards that differ, and what a source says that was not followed. The client uses none of them; a software card\n"
    "follows those that it is told to.\n\n"
)
UNKNOWN = "What no public source says, or what rests on our assumption:"


def _section(heading: str, sheet: Sheet[Any], rows: Mapping[str, Any], words: str = "") -> str:
    return f"## {heading}\n\n{words}{sheet.render(rows.values())}" if rows else ""


def _known(*more: str) -> tuple[Column[Any], ...]:
    """The last columns of every table."""
    return (
        *(Column(name, (name,), lambda one, name=name: getattr(one, name).value) for name in more),  # type: ignore[misc]
        Column("evidence", ("evidence",), lambda one: one.evidence.level.value),
        Column("source", (), lambda one: because(one.evidence)),
    )


def _assumed(evidence: Evidence) -> bool:
    return evidence.level is EvidenceLevel.ASSUMPTION


def _named(one: FileSpec | KeySpec | ObjectSpec | VariantSpec) -> str:
    return f"`{one.id}` {one.name_en} {one.name_ja}"


def _link(name: str) -> str:
    return f"[{name}](#layout-{name})" if name else "unknown"


def _range(least: int, most: int) -> str:
    return str(least) if least == most else f"{least} to {most}"


def _signer(signer: str) -> str:
    kind, _, name = signer.partition(":")
    if kind == "file":
        return f"the key certified in file `{name}`"
    return "the key of a CA; not on the card" if kind == "ca" else "the issuer's key; not on the card, and not public"


def _outside(fields: tuple[FieldSpec, ...], covered: set[str]) -> Iterator[str]:
    for spec in fields:
        if spec.name and spec.name not in covered:
            yield spec.name
        elif not spec.name:
            yield from _outside(spec.fields, covered)
