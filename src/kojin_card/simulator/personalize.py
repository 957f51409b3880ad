"""From a persona to a card: what the municipal counter and J-LIS do, with the test PKI.

Which files and keys there are, how they are laid out, what a digest or signature covers: the applet specs say. This
module knows only which value belongs in which field.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from kojin_card.errors import SpecError, UsageError
from kojin_card.pki.profile import Purpose
from kojin_card.simulator import images, licence_record
from kojin_card.simulator.cardkeys import CardKeys, mark
from kojin_card.simulator.certificates import birthday_in
from kojin_card.simulator.layout_values import length_of, typed
from kojin_card.simulator.management.issue import new_content
from kojin_card.simulator.persona import Persona
from kojin_card.simulator.persona_file import load_persona
from kojin_card.simulator.state import ApplicationState, CardState, FileState, KeyState, Knobs
from kojin_card.simulator.testpki import CertifiedPerson, TestPki
from kojin_card.spec.codec import decode, digest_input, encode
from kojin_card.spec.load import load_card_spec
from kojin_card.spec.model import KeyKind, Structure
from kojin_card.spec.wareki import yymmdd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.simulator.persona import DeclaredFile, Profile, Reference
    from kojin_card.simulator.state import PrivateKey
    from kojin_card.spec.codec import Value
    from kojin_card.spec.model import ApplicationSpec, CardSpec, FileSpec, KeySpec, SignatureSpec

JST = timezone(timedelta(hours=9), "JST")
_RSA_2048 = 256
_SERIAL_BASE = 0x01000000  # four octets, as certificates of these years have them (jpki.md §1.1)
_FOUR_ITEMS = ("input_support", "basic_four")
_MALE_FEMALE = ("1", "2")
_CODE_A, _CODE_B, _BIRTH_CODE = "code-a", "code-b", "birth-code"  # secrets that are computed, as the specs name them


def make_card(
    persona: str | Persona,
    *,
    now: datetime,
    pki: TestPki | None = None,
    knobs: Knobs | None = None,
    fresh_keys: bool = False,
    spec: CardSpec | None = None,
) -> CardState:
    """A new card for ``persona``: full counters, certificates valid from ``now`` (or from as many days before as the
    persona says).

    The same arguments give the same card, byte for byte, unless ``fresh_keys``.

    Args:
        persona: one of :func:`~.persona_file.persona_names`, or a persona of the caller's.
        now: the moment of issue, with a time zone.
        pki: the test PKI that issues; the declared one when None.
        knobs: behaviour on which sources disagree; the defaults when None.
        fresh_keys: generate new RSA keys instead of the worthless ones of the pool (about a second).
        spec: the applet specs; the package's own when None.

    Raises:
        UsageError: no such persona or variant, a time without zone or outside the validity of the test PKI's CAs, a
            municipality that the test PKI does not declare.
        SpecError: persona, profile or test PKI are malformed or name what the specs do not have.
        DecodeError: a value that the layout of its file does not allow (names the field, not the value).
    """
    if now.utcoffset() is None:
        raise UsageError("the moment of issue needs a time zone")
    who = load_persona(persona) if isinstance(persona, str) else persona
    spec = load_card_spec() if spec is None else spec
    issued = now.replace(microsecond=0) - timedelta(days=who.issued_days_ago)
    knobs = Knobs() if knobs is None else knobs
    if who.profile is not None:
        knobs = replace(knobs, variants=knobs.variants | who.profile.variants)
    spec.varied(knobs.variants)  # an unknown one is refused now, not when the card is first used
    make = _Issuer(who, issued, spec, TestPki.load() if pki is None else pki, knobs, fresh_keys=fresh_keys)
    applications = make.applications()
    managed = spec.power_on is not None and spec.power_on.id in applications  # a phone has no card manager
    return CardState(who.id, issued, who.atr, applications, knobs, new_content() if managed else None)


def verification_code_b(birth: date, expiry: date, security_code: str, *, gregorian: bool = False) -> str:
    """照合番号B: birth date in 和暦 (YYMMDD), year of expiry, security code; 14 digits (card.md §2.3).

    Args:
        gregorian: as :attr:`Knobs.gregorian_code_b` has it: YYYYMMDD, two digits of the year of expiry, the code.
    """
    if gregorian:
        return f"{birth:%Y%m%d}{expiry.year % 100:02}{security_code}"
    return f"{yymmdd(birth)}{expiry.year:04}{security_code}"


def card_expiry(profile: Profile, birth: date, issued: date) -> date:
    """The card's last day: so many birthdays after the day of issue (``[validity]`` of the profile)."""
    validity = profile.validity
    years = validity.adult_birthdays if age(birth, issued) >= validity.adult_age else validity.minor_birthdays
    first = issued.year + (birthday_in(birth, issued.year) <= issued)
    return birthday_in(birth, first + years - 1)


def age(birth: date, day: date) -> int:
    """Completed years of life on that day."""
    return day.year - birth.year - (birthday_in(birth, day.year) > day)


class _Issuer:
    """One card being made."""

    def __init__(
        self, who: Persona, now: datetime, spec: CardSpec, pki: TestPki, knobs: Knobs, *, fresh_keys: bool
    ) -> None:
        self.who, self.now, self.spec, self.pki, self.knobs = who, now, spec, pki, knobs
        self.issued = now.astimezone(JST).date()
        self.birth = who.born.on(self.issued)
        if self.birth > self.issued:
            raise UsageError("nobody gets a card before birth")
        profile = who.profile
        self.expiry = card_expiry(profile, self.birth, self.issued) if profile and not who.expiry else who.expiry
        self.signs = profile is not None and age(self.birth, self.issued) >= profile.validity.signature_age
        self._keys = CardKeys(pki.pool, who.seed, profile, fresh=fresh_keys)
        self._declared: dict[Reference, DeclaredFile] = {**(profile.files if profile else {}), **who.files}

    def applications(self) -> dict[str, ApplicationState]:
        who = self.who
        for application, name in [*self._declared, *who.pins, *who.unset, *who.tries, *who.absent]:
            known = self.spec.applications.get(application)
            if known is None or name not in {*known.files, *known.keys, *known.objects}:
                raise SpecError(
                    "the specs have no such file, key or object",
                    file=f"{self.who.id}.toml",
                    table=f"{application}/{name}",
                )
        named = who.applications or (who.profile.applications if who.profile is not None else ())
        if unknown := sorted(set(named) - self.spec.applications.keys()):
            raise SpecError("the specs have no such application", file=f"{who.id}.toml", table=unknown[0])
        return {
            a.id: ApplicationState(self._files(a), self._keys_of(a), self._objects(a), self._session_key(a))
            for a in self.spec.applications.values()
            if (a.id in named if named else not a.optional)
        }

    # --- keys ---------------------------------------------------------------------------------------------------------

    def _keys_of(self, application: ApplicationSpec) -> dict[str, KeyState]:
        made = {key.id: self._key(application.id, key) for key in application.keys.values()}
        return {name: content for name, content in made.items() if content is not None}

    def _key(self, application: str, key: KeySpec) -> KeyState | None:
        """Content of a key, or None when this card has not got it."""
        if (application, key.id) in self.who.absent:
            return None
        if key.kind is KeyKind.PIN:
            return self._secret(application, key)
        if key.kind is KeyKind.PRIVATE_KEY:
            return self._private(application, key)
        return KeyState() if self.who.profile is not None or key.issued_blocked else None

    def _secret(self, application: str, key: KeySpec) -> KeyState:
        full = self._tries(application, key)
        if (application, key.id) in self.who.unset:
            return KeyState(tries_full=full)
        if key.secret == _CODE_A:
            value = self.who.my_number
        elif key.secret == _CODE_B and self.expiry is not None:
            value = self._code_b(self.expiry)
        elif key.secret == _BIRTH_CODE:
            value = yymmdd(self.birth)
        else:
            value = self.who.pins.get((application, key.id), "")
        if not value:
            raise SpecError("a PIN is neither given nor unset", file=f"{self.who.id}.toml", table=f"pins.{application}")
        return KeyState(secret=value.encode("ascii"), tries_left=full, tries_full=full)

    def _tries(self, application: str, key: KeySpec) -> int:
        """The counter of a secret: by the specs, or by persona and profile where nobody knows."""
        reference = application, key.id
        profile = self.who.profile.tries if self.who.profile is not None else {}
        known = key.tries.count if key.tries is not None else None
        count = known or self.who.tries.get(reference) or profile.get(reference)
        if count is None:
            raise SpecError("a card needs to know the number of tries", file=f"{application}.toml", table=key.id)
        return count

    def _private(self, application: str, key: KeySpec) -> KeyState | None:
        role = self.who.profile.roles.get((application, key.id)) if self.who.profile is not None else None
        if role is None or (role == Purpose.SIGNATURE and not self.signs):
            return None
        return self._keys.state(role)

    def _session_key(self, application: ApplicationSpec) -> PrivateKey | None:
        """The private half of what :meth:`_made` writes into the file of the public one."""
        secure = application.secure_messaging
        return self._keys.state("session").private if self.who.profile and secure and secure.key_file else None

    # --- files --------------------------------------------------------------------------------------------------------

    def _files(self, application: ApplicationSpec) -> dict[str, FileState]:
        values = {name: self._values(application, file) for name, file in application.files.items()}
        octets: dict[str, bytes] = {}
        files: dict[str, FileState] = {}
        for name, file in application.files.items():
            declared = self._declared.get((application.id, name))
            if declared is not None and declared.octets is not None:
                octets[name] = declared.octets
            elif file.structure is Structure.RECORDS:
                if records := self._records(application, file, declared):
                    files[name] = FileState(records=records)
            elif file.structure is Structure.UNKNOWN:
                if self.who.profile is not None:
                    files[name] = FileState()
            elif values[name]:
                octets[name] = self._encode(application, file, values[name])
        self._seal(application, values, octets)
        files.update(
            {name: FileState(octets=self._filled(application.id, name, data)) for name, data in octets.items()}
        )
        absent = {name for owner, name in self.who.absent if owner == application.id}
        return {name: files[name] for name in application.files if name in files and name not in absent}

    def _filled(self, application: str, name: str, data: bytes) -> bytes:
        declared = self._declared.get((application, name))
        return data + b"\xff" * declared.filler if declared is not None else data

    def _records(
        self, application: ApplicationSpec, file: FileSpec, declared: DeclaredFile | None
    ) -> tuple[bytes, ...]:
        if declared is not None:
            return declared.records
        if self.who.profile is None:
            return ()
        made = self._made(application.id, file.id)
        return tuple(
            encode(application.layouts[record.layout], made)
            for record in sorted(file.records, key=lambda record: record.number)
        )

    def _encode(self, application: ApplicationSpec, file: FileSpec, values: Mapping[str, Value]) -> bytes:
        layout = application.layout_of(file.id)
        if layout is None:
            raise SpecError("values need a layout", file=application.source_file, table=file.id)
        long_head = self.knobs.long_head and (application.id, file.id) == _FOUR_ITEMS
        return encode(layout, values, size=file.size, long_head=long_head)

    def _values(self, application: ApplicationSpec, file: FileSpec) -> dict[str, Value]:
        """Values of the file's fields as far as they do not depend on other files; empty: the card has no such file."""
        declared = self._declared.get((application.id, file.id))
        layout = application.layout_of(file.id) if file.layout else None
        values: dict[str, Value] = {}
        if self.who.profile is not None:
            values.update(self._made(application.id, file.id))
        if declared is not None and layout is not None:
            values.update(typed(layout, declared.values))
        if values and layout is not None:
            for name in self._sealed(application, file.id):
                values.setdefault(name, bytes(length_of(layout, name)))
        return values

    def _sealed(self, application: ApplicationSpec, file: str) -> list[str]:
        """Fields of the file that are digests, or signatures of the municipality."""
        digests = [digest.field for digest in application.digests.values() if digest.file == file]
        return digests + [signature.field for signature in _own_signatures(application) if signature.file == file]

    def _seal(
        self, application: ApplicationSpec, values: dict[str, dict[str, Value]], octets: dict[str, bytes]
    ) -> None:
        """Fill in the digests, then the signatures, as the spec says what they cover."""
        for digest in application.digests.values():
            if not values.get(digest.file) or digest.of_file not in octets:
                continue
            layout = application.layout_of(digest.of_file)
            if layout is None:
                raise SpecError("a digest needs a layout", file=application.source_file, table=digest.id)
            covered = digest_input(decode(layout, octets[digest.of_file]), part=digest.part, after=digest.after)
            values[digest.file][digest.field] = hashlib.new(digest.algorithm, covered).digest()
            octets[digest.file] = self._encode(application, application.files[digest.file], values[digest.file])
        for signature in _own_signatures(application):
            if not values.get(signature.file):
                continue
            file = application.files[signature.file]
            layout = application.layouts[file.layout]
            record = decode(layout, octets[signature.file])
            parts = record.contents if signature.values else record.objects
            # An optional object that is not there is covered as nothing (our reading: a card without a photo).
            groups = [b"".join(parts.get(name, b"") for name in group) for group in signature.covers]
            values[file.id][signature.field] = self._signed(groups)
            octets[file.id] = self._encode(application, file, values[file.id])
        licence_record.seal(application, values, octets, self.pki)

    def _signed(self, groups: list[bytes]) -> bytes:
        """One group is signed as it is; several are hashed and signed in one DigestInfo (card.md §2.2)."""
        if len(groups) == 1:
            return self.pki.sign_record(groups[0], self.who.municipality)
        return self.pki.sign_digests([hashlib.sha256(group).digest() for group in groups], self.who.municipality)

    # --- data objects -------------------------------------------------------------------------------------------------

    def _objects(self, application: ApplicationSpec) -> dict[str, bytes]:
        made = {name: self._object(application, name) for name in application.objects}
        return {name: data for name, data in made.items() if data}

    def _object(self, application: ApplicationSpec, name: str) -> bytes:
        """What GET DATA returns; empty: this card has not got it."""
        declared = self._declared.get((application.id, name))
        if declared is not None and declared.octets is not None:
            return declared.octets
        layout = application.layout_of_object(name)
        if self.who.profile is None:
            return b""
        values = self._made(application.id, name)
        if layout is not None:
            return encode(layout, values) if values else b""
        raw = values.get(name, b"")
        return raw if isinstance(raw, bytes) else b""

    # --- which value belongs where ------------------------------------------------------------------------------------

    def _made(self, application: str, file: str) -> dict[str, Value]:
        """What this card says in that file; empty when the values are declared, or when it has no such file."""
        who = self.who
        match application, file:
            case "common", "card_information" if self.expiry is not None:
                return {"serial": who.serial, "municipality": who.municipality, "expiry": self.expiry}
            case "input_support", "my_number":
                return {"my_number": who.my_number}
            case "input_support", "basic_four":
                return {
                    "name": who.name,
                    "address": who.address,
                    "birth_date": f"{self.birth:%Y%m%d}",
                    "sex": self._sex,
                }
            case (("input_support" | "card_face"), "cv_certificate"):
                return self._cv(self.pki.cv_certificate(application=application, municipality=who.municipality))
            case "input_support", "application_information":
                # What the 128 bytes are is not known (card.md §2.1): 32 of the card's own, then FF.
                own = hashlib.sha256(f"{who.seed}\0{file}".encode()).digest()
                key_id = self.pki.holder_key_id(application, who.municipality)
                return {"key_id": key_id, "unknown": own + b"\xff" * 96}
            case "input_support", "session_public_key":
                return self._public("session")
            case "input_support", "application_public_key":
                return self._public("input_support")
            case "input_support", "record_signature":
                return {name: bytes(32) for name in ("my_number_digest", "basic_four_digest")}
            case "card_face", "age":
                return {"birth_date": f"{self.birth:%Y%m%d}", **self._public("card_face")}
            case "card_face", "face" if self.expiry is not None:
                return {**self._face(self.expiry), **self._public("card_face")}
            case "card_face", "my_number_image":
                return {"my_number_image": images.digits_png(who.my_number), **self._public("card_face")}
            case "card_face", "application_information" if self.expiry is not None:
                return {
                    "key_id": self.pki.holder_key_id(application, who.municipality),
                    "municipality": who.municipality,
                    "code_key_id": self.pki.cv_ca_key_id(application),
                    "encrypted_verification_number": self._encrypted(self._code_b(self.expiry)),
                }
            case "card_manager", "card_identification":
                return {file: who.serial.encode("ascii")}
            case "card_manager", "municipality":
                return {"municipality": who.municipality}
            case "card_manager", "expiry" if self.expiry is not None:
                return {"expiry": self.expiry}
            case "card_manager", "intermediate_key_id":
                return {"key_id": self.pki.cv_chain(who.municipality)[0]}
            case "card_manager", "upper_cv_certificate":
                return self._cv(self.pki.cv_chain(who.municipality)[1])
            case "card_manager", "lower_cv_certificate":
                return self._cv(self.pki.cv_chain(who.municipality)[2])
            case "card_manager", "contact_atr":
                contact = [atr for atr in (who.atr, who.profile.atr if who.profile else b"") if not _contactless(atr)]
                return {file: contact[0][1:]} if contact and contact[0] else {}
            case "jpki", "token_information":
                return {"serial_number": who.token_serial}
            case "jpki", "certificate_availability":
                return {
                    "sign_certificate": self._availability(self.signs),
                    "auth_certificate": self._availability(True),
                }
            case "jpki", "sign_certificate" if self.signs:
                return {"certificate": self._certificate(Purpose.SIGNATURE)}
            case "jpki", "auth_certificate":
                return {"certificate": self._certificate(Purpose.AUTHENTICATION)}
            case "jpki", "sign_ca_certificate":
                return {"certificate": self._issuer(Purpose.SIGNATURE)}
            case "jpki", "auth_ca_certificate":
                return {"certificate": self._issuer(Purpose.AUTHENTICATION)}
            case "licence", _:
                return licence_record.made(file, who, self.birth, self.issued, self.pki)
            case _:
                return {}

    def _code_b(self, expiry: date) -> str:
        gregorian = self.knobs.gregorian_code_b
        return verification_code_b(self.birth, expiry, self.who.security_code, gregorian=gregorian)

    @property
    def _sex(self) -> str:
        return "3" if self.knobs.sex_3 and self.who.sex not in _MALE_FEMALE else self.who.sex

    def _public(self, role: str) -> dict[str, Value]:
        numbers = self._keys.rsa(role).public_key().public_numbers()
        return {"exponent": numbers.e.to_bytes(3, "big"), "modulus": numbers.n.to_bytes(_RSA_2048, "big")}

    def _cv(self, certificate: bytes) -> dict[str, Value]:
        """The fields of a card-verifiable certificate of the test PKI; every layout here calls them alike."""
        application, layout = self.pki.declaration.cv.layout
        return dict(decode(self.spec[application].layouts[layout], certificate).values)

    def _face(self, expiry: date) -> dict[str, Value]:
        who = self.who
        values: dict[str, Value] = {
            "birth_date": f"{self.birth:%Y%m%d}",
            "sex": self._sex,
            "name_image": who.images.texts.get(who.name) or images.boxes_png(who.name),
            "address_image": who.images.texts.get(who.address) or images.boxes_png(who.address),
            "expiry": expiry,
            "security_code_image": images.digits_png(who.security_code),
        }
        return {**values, "photo": who.images.photo} if who.images.photo else values

    def _encrypted(self, code: str) -> bytes:
        """A verification number under the key of the application's CA: PKCS#1 v1.5 block type 2 (RFC 8017 §7.2.1).

        Which number, by which key and padding is not known (card.md §13). The padding comes from the seed and not from
        chance, so that the same persona makes the same card.
        """
        numbers = self.pki.cv_ca_key("card_face").public_key().public_numbers()
        stream = b"".join(hashlib.sha256(f"{self.who.seed}\0padding\0{n}".encode()).digest() for n in range(16))
        padding = bytes(octet for octet in stream if octet)[: _RSA_2048 - 3 - len(code)]
        block = b"\x00\x02" + padding + b"\x00" + code.encode("ascii")
        return pow(int.from_bytes(block, "big"), numbers.e, numbers.n).to_bytes(_RSA_2048, "big")

    def _availability(self, present: bool) -> str:
        """The code of ``present`` or ``absent``, as the spec has it."""
        wanted = "present" if present else "absent"
        layout = self.spec["jpki"].layouts["certificate_availability"]
        return next(code for field in layout.fields for code, meaning in field.values.items() if meaning == wanted)

    def _issuer(self, purpose: Purpose) -> bytes:
        return self.pki.ca(purpose, self.now, self._keys.profile_id(purpose)).certificate

    def _certificate(self, purpose: Purpose) -> bytes:
        who = self.who
        person = CertifiedPerson(
            who.certified_name or who.name,
            who.address,
            self.birth,
            who.sex,
            who.name_substitutes,
            who.address_substitutes,
        )
        key = self._keys.holder(purpose)
        # Nobody keeps a register of serial numbers here: key and moment make one, so another issue has another number.
        seed = f"{mark(key)}\0{self.now.timestamp():.0f}".encode()
        serial = _SERIAL_BASE + int.from_bytes(hashlib.sha256(seed).digest()[:3], "big")
        return self.pki.issue(
            purpose,
            person,
            key,
            issued_at=self.now,
            serial=serial,
            municipality=who.municipality,
            card_expiry=self.expiry,
            profile=self._keys.profile_id(purpose),
        )


def _contactless(atr: bytes) -> bool:
    """Whether an ATR is one that a reader makes up for a contactless card: TD1 80, TD2 01 (card.md §5)."""
    return atr[2:4] == b"\x80\x01"


def _own_signatures(application: ApplicationSpec) -> list[SignatureSpec]:
    """Signatures that the municipality's record key makes, the one that a CV certificate of the card certifies."""
    return [signature for signature in application.signatures.values() if signature.signer.startswith("file:")]
