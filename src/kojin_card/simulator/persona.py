"""Who a software card belongs to: an invented holder, the card, and the profile of that kind of card, as values.

:mod:`.persona_file` reads them. Nothing of a holder shows in a ``repr`` or an error, although all of it is invented.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.pki.profile import CertificateProfile, Purpose
    from kojin_card.spec.model import Evidence

_CHECK_WEIGHTS = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)  # card.md §7

Reference = tuple[str, str]  # application and file or key, as the specs name them


@dataclass(frozen=True, slots=True)
class DeclaredFile:
    """What a persona or profile says of one file; exactly what was declared is set.

    Attributes:
        octets: every physical byte of a transparent file.
        records: every record of a record file.
        values: values of some or all fields of its layout: numbers, text, or hex where the field is bytes.
        filler: so many bytes FF after the content.
    """

    evidence: Evidence
    octets: bytes | None = field(default=None, repr=False)
    records: tuple[bytes, ...] = field(default=(), repr=False)
    values: Mapping[str, str | int] = field(default_factory=dict, repr=False)
    filler: int = 0


@dataclass(frozen=True, slots=True)
class Images:
    """Images of the card's face that were rendered or drawn before.

    Attributes:
        texts: PNG by the text that it shows.
        photo: JPEG 2000, or empty for a card without one.
    """

    texts: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    photo: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Validity:
    """How long cards last, counted in birthdays after issue, and who gets a signature certificate."""

    adult_age: int
    adult_birthdays: int
    minor_birthdays: int
    signature_age: int
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of card.

    Attributes:
        roles: for each private key, the role of the key pool that it is.
        certificates: for each purpose, the id of the certificate profile (``pki/data/profiles.toml``) of this card;
            its kind of key is that of the role of the same name.
        tries: counters of the secrets whose number of tries the specs do not know.
        applications: what it consists of; empty: every application that is not optional.
        variants: readings of the applet specs that it follows.
    """

    id: str
    name_ja: str
    name_en: str
    atr: bytes
    validity: Validity
    roles: Mapping[Reference, str]
    files: Mapping[Reference, DeclaredFile]
    evidence: Evidence
    tries: Mapping[Reference, int] = field(default_factory=dict)
    applications: tuple[str, ...] = ()
    variants: frozenset[str] = frozenset()
    certificates: Mapping[Purpose, CertificateProfile] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Born:
    """A birthday: on a fixed date (``year``), or in the year so many years before the card's issue.

    Attributes:
        days_after_issue: the birthday is so many days after the day of issue, and ``month`` and ``day`` do not count.
    """

    month: int = field(repr=False)
    day: int = field(repr=False)
    year: int | None = field(default=None, repr=False)
    years_before_issue: int = field(default=0, repr=False)
    days_after_issue: int | None = field(default=None, repr=False)

    def on(self, issued: date) -> date:
        """The date of birth of somebody whose card is issued on that day (29 February falls back to the 28th).

        Raises:
            UsageError: there is no such day.
        """
        if self.days_after_issue is not None:
            birthday = issued + timedelta(days=self.days_after_issue)
            return Born(birthday.month, birthday.day, birthday.year - self.years_before_issue).on(issued)
        year = self.year if self.year is not None else issued.year - self.years_before_issue
        try:
            return date(year, self.month, self.day)
        except (ValueError, OverflowError):
            if (self.month, self.day) == (2, 29):
                return date(year, 2, 28)
            raise UsageError("not a birthday") from None


@dataclass(frozen=True, slots=True)
class DeclaredRevocation:
    """A certificate of the card that its CA revoked, so many days after the card was issued.

    Attributes:
        purpose: ``signature`` or ``authentication``.
        reason: of RFC 5280 §5.3.1, as the test PKI spells it (``affiliationChanged``).
    """

    purpose: Purpose
    days_after_issue: int
    reason: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Persona:
    """An invented holder and the card she carries. Change one with ``dataclasses.replace``; the checks run again.

    Attributes:
        profile: None for a card that consists of ``files`` alone.
        expiry: last day; None counts birthdays by the profile.
        pins: values by ``(application, key)``; 照合番号A and B are computed.
        unset: references that are there without a value, and so blocked.
        files: declared contents of files and data objects; they win over those of the profile and over what would be
            made.
        tries: counters that the specs do not know and the profile does not give.
        certified_name: the name in certificates where substitutes (代替文字) stand in it; empty: the name itself.
        applications: what the card consists of; empty: what its profile says.
        absent: files and keys that this card has not got although its applications have them.
        issued_days_ago: the card was issued so many days before it is made.
        revocations: what became of its certificates since.

    Raises:
        UsageError: a wrong check digit of 個人番号, or a number, flag or date of another form.
    """

    id: str
    name_ja: str
    name_en: str
    profile: Profile | None
    seed: str
    name: str = field(repr=False)
    name_substitutes: str = field(repr=False)
    address: str = field(repr=False)
    address_substitutes: str = field(repr=False)
    born: Born = field(repr=False)
    sex: str = field(repr=False)
    my_number: str = field(repr=False)
    municipality: str
    serial: str = field(repr=False)
    token_serial: str = field(repr=False)
    security_code: str = field(repr=False)
    expiry: date | None = field(repr=False)
    atr: bytes
    pins: Mapping[Reference, str] = field(repr=False)
    unset: frozenset[Reference] = frozenset()
    files: Mapping[Reference, DeclaredFile] = field(default_factory=dict, repr=False)
    images: Images = field(default_factory=Images, repr=False)
    tries: Mapping[Reference, int] = field(default_factory=dict)
    certified_name: str = field(default="", repr=False)
    applications: tuple[str, ...] = ()
    absent: frozenset[Reference] = frozenset()
    issued_days_ago: int = 0
    revocations: tuple[DeclaredRevocation, ...] = ()

    def __post_init__(self) -> None:
        self.born.on(date(2000, 1, 1))
        if not is_my_number(self.my_number):
            raise UsageError("my_number is 12 digits of which the last is the check digit")
        for name, digits in (("municipality", 5), ("serial", 15), ("security_code", 4)):
            if not _digits(getattr(self, name), digits):
                raise UsageError(f"{name} is {digits} digits")
        for text, flags in ((self.name, self.name_substitutes), (self.address, self.address_substitutes)):
            if len(text) != len(flags) or set(flags) - {"0", "1"}:
                raise UsageError("substitutes has one 0 or 1 for each character of its text")
        if self.certified_name and len(self.certified_name) != len(self.name):
            raise UsageError("certified_name has one character for each of the name")
        if any(not value.isascii() or not value for value in self.pins.values()):
            raise UsageError("a PIN is ASCII and not empty")
        if self.profile is None and self.expiry is None:
            raise UsageError("a card without a profile needs its expiry")


def is_my_number(text: str) -> bool:
    """Whether ``text`` is 12 digits with the right check digit (card.md §7)."""
    if not _digits(text, 12):
        return False
    remainder = sum(weight * int(digit) for weight, digit in zip(_CHECK_WEIGHTS, text, strict=False)) % 11
    return int(text[-1]) == (0 if remainder <= 1 else 11 - remainder)


def _digits(text: str, count: int) -> bool:
    return len(text) == count and text.isascii() and text.isdigit()
