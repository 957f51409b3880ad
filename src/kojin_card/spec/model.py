"""What an applet spec says, as frozen values. ``applets_spec/README.md`` explains the language."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kojin_card.spec.access import Access
    from kojin_card.spec.messaging import SecureMessagingSpec
    from kojin_card.spec.unset import Unset
    from kojin_card.spec.variant import VariantSpec


class EvidenceLevel(StrEnum):
    """How well a fact is known."""

    STANDARD = "standard"
    PUBLIC = "public"
    CARD = "card"
    ASSUMPTION = "assumption"


class Privacy(StrEnum):
    """Whom the content concerns. Omitted in a spec means PERSONAL."""

    PUBLIC = "public"
    PERSONAL = "personal"
    MY_NUMBER = "my_number"


class KeyKind(StrEnum):
    """What an internal elementary file (IEF) holds."""

    PIN = "pin"
    PRIVATE_KEY = "private_key"
    PUBLIC_KEY = "public_key"
    UNKNOWN = "unknown"


class Structure(StrEnum):
    """Structure of a working elementary file (WEF)."""

    TRANSPARENT = "transparent"
    RECORDS = "records"
    UNKNOWN = "unknown"


class ChangeCommand(StrEnum):
    """How a secret is replaced: ``00 24 01 80`` or ``80 32 00 80`` (card.md §4.3)."""

    NONE = "none"
    CHANGE_REFERENCE_DATA = "change_reference_data"
    CHANGE_KEY = "change_key"


class Encoding(StrEnum):
    """How the fields of a layout (or of a ``fields`` value) stand next to each other."""

    BER_TLV = "ber_tlv"
    SIMPLE_TLV = "simple_tlv"
    PLAIN_TLV = "plain_tlv"
    FIXED = "fixed"
    DER = "der"


class FieldType(StrEnum):
    """The codec of one field's value."""

    TEMPLATE = "template"
    FIELDS = "fields"
    OFFSETS = "offsets"
    UTF8 = "utf8"
    ASCII = "ascii"
    JIS_X0208 = "jis_x0208"
    DIGITS = "digits"
    DATE = "date"
    PARTIAL_DATE = "partial_date"
    ERA_DATE = "era_date"
    CODE = "code"
    U32 = "u32"
    BYTES = "bytes"
    IMAGE = "image"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The level of a fact and where it is from."""

    level: EvidenceLevel
    source: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class SecretFormat:
    """The form a secret must have before it may be sent.

    Attributes:
        charset: ``digits`` or ``upper_alphanumeric``.
        minimum, maximum: length in characters.
        requires: classes that must each occur (``letter``, ``digit``).
        fold_upper: lower-case input is turned to upper case first.
    """

    charset: str
    minimum: int
    maximum: int
    requires: tuple[str, ...] = ()
    fold_upper: bool = False


@dataclass(frozen=True, slots=True)
class Tries:
    """How often in a row a secret may be wrong; None when no source says. With its own evidence."""

    count: int | None
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Change:
    """How a secret is replaced and what must be verified before."""

    command: ChangeCommand
    after: Access
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class KeySpec:
    """An IEF: a secret that is verified, or a key that the card uses.

    Attributes:
        file_id: two bytes; the low five bits are the short identifier (``sfi``).
        secret: the name in ``--secrets`` files and prompts (``pin``, ``sign-password``...); empty for keys.
        use: for private keys, who may sign with it.
        schemes: for private keys, ids of the signature schemes (:class:`SchemeSpec`).
        issued_blocked: blocked on every card examined.
        internal_authentication: for private keys, whether INTERNAL AUTHENTICATE uses it.
        unset: the value that a secret has which nobody set, and what tells that nobody did.
    """

    id: str
    file_id: bytes
    kind: KeyKind
    name_en: str
    name_ja: str
    evidence: Evidence
    secret: str = ""
    format: SecretFormat | None = None
    tries: Tries | None = None
    change: Change | None = None
    use: Access | None = None
    schemes: tuple[str, ...] = ()
    issued_blocked: bool = False
    internal_authentication: bool = False
    unset: Unset | None = None

    @property
    def sfi(self) -> int:
        """Short EF identifier: the low five bits of the file id (card.md §2)."""
        return self.file_id[1] & 0x1F


@dataclass(frozen=True, slots=True)
class SchemeSpec:
    """One P1 of the signature command ``80 2A`` (card.md §4.4).

    Attributes:
        p1: the parameter byte.
        hashes: the card hashes the input with SHA-256 first.
        wrap: ``none`` (the bytes are padded as given, or signed as the hash they are), ``digest_info`` or ``pss``.
        minimum, maximum: length of the input in bytes; ``algorithm``: its kind of key, ``rsa`` or ``ec``.
    """

    id: str
    p1: int
    hashes: bool
    wrap: str
    minimum: int
    maximum: int
    evidence: Evidence
    algorithm: str = "rsa"


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a layout.

    Attributes:
        name: key in the decoded record; a template without one lifts its fields into its parent.
        tag: for TLV encodings.
        length: exact length of the value in bytes (fields of a fixed layout always have one).
        minimum, maximum: bounds of the value (characters for ``utf8``, bytes otherwise).
        values: for ``code``: what each value means; keys are text, or hex when ``hex_values``. For ``ascii`` and
            ``bytes`` (hex): what the values that are known mean; others may stand too.
        encoding: for ``fields``: how the inner fields stand.
        pad: for ``ascii`` of a fixed length: the byte that fills it up on the right.
        media: for ``image``: its media type.
        empty: it may stand without a value, and then has none.
    """

    type: FieldType
    name: str = ""
    tag: bytes = b""
    fields: tuple[FieldSpec, ...] = ()
    encoding: Encoding = Encoding.BER_TLV
    length: int | None = None
    minimum: int = 0
    maximum: int = 0xFFFF
    values: Mapping[str, str] = field(default_factory=dict)
    hex_values: bool = False
    pad: str = ""
    media: str = ""
    optional: bool = False
    empty: bool = False
    privacy: Privacy | None = None
    label_ja: str = ""
    label_en: str = ""


@dataclass(frozen=True, slots=True)
class LayoutSpec:
    """How the content of a file or record is laid out; drives decoding and encoding alike.

    Attributes:
        filler: the file may be longer than its objects and is filled up with ``FF``.
    """

    id: str
    encoding: Encoding
    fields: tuple[FieldSpec, ...]
    filler: bool
    evidence: Evidence

    def walk(self) -> tuple[FieldSpec, ...]:
        """All fields, outer before inner, in order."""

        def inner(fields: tuple[FieldSpec, ...]) -> list[FieldSpec]:
            return [item for spec in fields for item in (spec, *inner(spec.fields))]

        return tuple(inner(self.fields))


@dataclass(frozen=True, slots=True)
class RecordSpec:
    """One record of a record file."""

    number: int
    layout: str


@dataclass(frozen=True, slots=True)
class FileSpec:
    """A WEF.

    Attributes:
        read: who may read; never when the spec is silent.
        size: physical size in bytes where it is known (longer than the content: ``FF`` filler).
        layout: id of the layout of a transparent file; empty when the content is unknown.
    """

    id: str
    file_id: bytes
    structure: Structure
    name_en: str
    name_ja: str
    read: Access
    privacy: Privacy
    evidence: Evidence
    size: int | None = None
    layout: str = ""
    records: tuple[RecordSpec, ...] = ()

    @property
    def sfi(self) -> int:
        """Short EF identifier: the low five bits of the file id (card.md §2)."""
        return self.file_id[1] & 0x1F


_Spec = TypeVar("_Spec", FileSpec, KeySpec)


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """A data object that GET DATA returns (card.md §2.5).

    Attributes:
        tag: two bytes, P1 and P2 of the command.
        read: who may read; never when the spec is silent.
        size: bytes, where they are known.
        layout: id of the layout of what GET DATA returns; empty when the inner form is unknown.
        long: a short Le answers 6700; it takes an extended one.
        optional: some cards have not got it.
        everywhere: answers with another application current too, not only with its own.
    """

    id: str
    tag: bytes
    name_en: str
    name_ja: str
    read: Access
    privacy: Privacy
    evidence: Evidence
    size: int | None = None
    layout: str = ""
    long: bool = False
    optional: bool = False
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class DigestSpec:
    """What a digest field covers.

    Attributes:
        file, field: where the digest stands.
        of_file: the file that it covers.
        part: ``physical`` (every byte of the file, filler included) or ``after`` (the value of the outermost object,
            from just after the object named ``after``).
    """

    id: str
    file: str
    field: str
    algorithm: str
    of_file: str
    part: str
    after: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class SignatureSpec:
    """What a signature field covers.

    Attributes:
        file, field: where the signature stands.
        covers: groups of fields of that file. One group: the signed message is those objects (or, with ``values``,
            their values) joined. Several: the digest of each group is taken and all go, joined, into ONE DigestInfo.
        values: the values alone are covered, not tag and length.
        signer: ``file:<id>`` (the key certified there), ``ca`` (a card-verifiable-certificate authority) or ``issuer``
            (a key that is not on the card).
        of_file: another file, of which every object is covered; then there are no groups.
    """

    id: str
    file: str
    field: str
    scheme: str
    covers: tuple[tuple[str, ...], ...]
    values: bool
    signer: str
    evidence: Evidence
    of_file: str = ""


@dataclass(frozen=True, slots=True)
class ApplicationSpec:
    """One application of the card.

    Attributes:
        default_key: the key that ``80 2A`` uses with P2 = 00; empty when the application has none.
        power_on: current after reset.
        order: place among the applications when a prefix of the AID is selected (assumption).
        secure_messaging: what it makes of ``80 AE``; None: nobody has tried.
        optional: not on every card: a persona names it.
        locked_with: the secret with which it is locked: while that is blocked, SELECT answers 6283.
        last_command: the last-command indicator (``80 FC``) answers here; only a variant says so.
        variants: other readings of this application, by their id; several applications may share one.
        source_file: the TOML file it was read from.
    """

    id: str
    aid: bytes
    name_en: str
    name_ja: str
    evidence: Evidence
    source_file: str
    default_key: str = ""
    keys: Mapping[str, KeySpec] = field(default_factory=dict)
    files: Mapping[str, FileSpec] = field(default_factory=dict)
    layouts: Mapping[str, LayoutSpec] = field(default_factory=dict)
    schemes: Mapping[str, SchemeSpec] = field(default_factory=dict)
    digests: Mapping[str, DigestSpec] = field(default_factory=dict)
    signatures: Mapping[str, SignatureSpec] = field(default_factory=dict)
    objects: Mapping[str, ObjectSpec] = field(default_factory=dict)
    variants: Mapping[str, VariantSpec] = field(default_factory=dict)
    power_on: bool = False
    optional: bool = False
    locked_with: str = ""
    last_command: bool = False
    order: int = 100
    secure_messaging: SecureMessagingSpec | None = None

    def by_file_id(self, file_id: bytes) -> FileSpec | KeySpec | None:
        """The file or key with that id."""
        return next((spec for spec in self.elementary_files if spec.file_id == file_id), None)

    @property
    def elementary_files(self) -> tuple[FileSpec | KeySpec, ...]:
        """Every EF of the application: working files, then keys."""
        return (*self.files.values(), *self.keys.values())

    def varied(self, variant: VariantSpec) -> ApplicationSpec:
        """The same application as ``variant`` reads it."""

        def changed(spec: _Spec) -> _Spec:
            return replace(spec, file_id=variant.file_ids.get(spec.id, spec.file_id))

        return replace(
            self,
            aid=variant.aid or self.aid,
            last_command=self.last_command or variant.last_command,
            files={
                name: replace(changed(spec), read=variant.read.get(name, spec.read))
                for name, spec in self.files.items()
            },
            keys={name: changed(spec) for name, spec in self.keys.items()},
        )

    def layout_of(self, file: str) -> LayoutSpec | None:
        """The layout of a transparent file, or None when its content is unknown."""
        name = self.files[file].layout
        return self.layouts[name] if name else None

    def by_tag(self, tag: bytes) -> ObjectSpec | None:
        """The data object with that tag."""
        return next((spec for spec in self.objects.values() if spec.tag == tag), None)

    def layout_of_object(self, object_id: str) -> LayoutSpec | None:
        """The layout of what GET DATA returns for an object, or None when its inner form is unknown."""
        name = self.objects[object_id].layout
        return self.layouts[name] if name else None


@dataclass(frozen=True, slots=True)
class CardSpec:
    """All applications, in the order in which a prefix of their AIDs finds them."""

    applications: Mapping[str, ApplicationSpec]

    def __getitem__(self, application: str) -> ApplicationSpec:
        return self.applications[application]

    def by_aid(self, aid: bytes) -> ApplicationSpec | None:
        """The application with exactly that AID."""
        return next((a for a in self.applications.values() if a.aid == aid), None)

    @property
    def variants(self) -> Mapping[str, VariantSpec]:
        """Every variant there is, sorted by id; of one that several applications share, what the first says of it."""
        found: dict[str, VariantSpec] = {}
        for application in self.applications.values():
            for name, variant in application.variants.items():
                found.setdefault(name, variant)
        return dict(sorted(found.items()))

    def varied(self, variants: Iterable[str]) -> CardSpec:
        """The same card as those variants read it, each in every application that has it.

        Raises:
            UsageError: there is no variant of such a name.
        """
        applications = dict(self.applications)
        for name in variants:
            if name not in self.variants:
                raise UsageError("no such variant of the card", known=", ".join(self.variants))
            for key, application in applications.items():
                if name in application.variants:
                    applications[key] = application.varied(application.variants[name])
        return CardSpec(applications)

    @property
    def power_on(self) -> ApplicationSpec | None:
        """The application that is current after reset; None when the specs have none."""
        return next((a for a in self.applications.values() if a.power_on), None)
