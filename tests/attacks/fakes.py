"""Software cards that are not what they seem, for the attacks on authenticity; signatures by a few lines of RSA."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from kojin_card import Card
from kojin_card.applications.proof import gather_record
from kojin_card.pki.card_evidence import RecordEvidence
from kojin_card.simulator import CardState, SoftCard, make_card
from kojin_card.simulator.state import ApplicationState, FileState, KeyState, PrivateKey
from kojin_card.spec import decode, encode, load_card_spec
from kojin_card.testing.cards import test_pki
from kojin_card.verdict import Verdict
from kojin_card.verification import CardJudge

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SPEC = load_card_spec()
CITY = "13221"


# --- cards ------------------------------------------------------------------------------------------------------------


@cache
def made(persona: str = "adult") -> CardState:
    return make_card(persona, now=NOW)


def file_of(state: CardState, application: str, file: str) -> bytes:
    content = state.applications[application].files[file].octets
    assert content is not None
    return content


def with_files(state: CardState, application: str, **files: bytes | None) -> CardState:
    """The same card with other contents; None takes a file away."""
    old = state.applications[application]
    kept = {name: content for name, content in old.files.items() if files.get(name, b"") is not None}
    new = {name: FileState(octets=data) for name, data in files.items() if data is not None}
    return replaced(state, application, replace(old, files={**kept, **new}))


def with_objects(state: CardState, **objects: bytes | None) -> CardState:
    old = state.applications["card_manager"]
    kept = {name: data for name, data in old.objects.items() if objects.get(name, b"") is not None}
    new = {name: data for name, data in objects.items() if data is not None}
    return replaced(state, "card_manager", replace(old, objects={**kept, **new}))


def replaced(state: CardState, application: str, content: ApplicationState) -> CardState:
    return replace(state, applications={**state.applications, application: content})


def rewritten(application: str, file: str, data: bytes, **values: Any) -> bytes:
    """A file with other values in it, laid out again."""
    layout = SPEC[application].layouts[SPEC[application].files[file].layout]
    return encode(layout, {**decode(layout, data).values, **values}, size=SPEC[application].files[file].size)


@cache
def stranger() -> Any:
    """A key that nobody certified: of the pool, so that what traces show of it is the same in every run."""
    return test_pki().pool.for_persona("a stranger", "terminal")


def sign(key: Any, *groups: bytes, info: bytes | None = None) -> bytes:
    """A signature as the card's records carry it: one group hashed, or the digests of several in one DigestInfo."""
    digests = b"".join(hashlib.sha256(group).digest() for group in groups)
    size = len(digests)
    head = bytes((0x30, 17 + size)) + bytes.fromhex("300D06096086480165030402010500") + bytes((0x04, size))
    content = head + digests if info is None else info
    block = b"\x00\x01" + b"\xff" * (253 - len(content)) + b"\x00" + content
    numbers = key.private_numbers()
    opened: int = pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n)
    return opened.to_bytes(256, "big")


def modulus(key: Any) -> bytes:
    return int(key.public_key().public_numbers().n).to_bytes(256, "big")


def private(key: Any) -> KeyState:
    numbers = key.private_numbers()
    return KeyState(private=PrivateKey(numbers.p, numbers.q))


def secret(state: CardState, key: str) -> str:
    value = state.key("card_face", key).secret
    assert value is not None
    return value.decode("ascii")


def client(state: CardState) -> Card:
    return Card(SoftCard.in_memory(state, spec=SPEC), ours=True, spec=SPEC)


def check(state: CardState, trust: str = "simulator") -> Verdict:
    """A whole check with every secret that there is."""
    return client(state).check_authenticity(
        trust,
        pin=state.key("input_support", "pin").secret.decode(),  # type: ignore[union-attr]
        code_b=secret(state, "code_b"),
        birth_code=secret(state, "birth_code"),
    )


def evidence(state: CardState, application: str = "input_support", file: str = "basic_four") -> RecordEvidence:
    """What a read gathers."""
    card = client(state)
    key = {"basic_four": "pin", "my_number": "pin", "face": "code_b", "age": "birth_code", "my_number_image": "code_a"}
    value = state.key(application, key[file]).secret
    assert value is not None
    card.channel.verify(application, key[file], value.decode("ascii"))
    octets = card.channel.read(application, file)
    return gather_record(card.channel, application, file, octets, os.urandom(32))


def judge(store: str = "simulator") -> CardJudge:
    return CardJudge.of(store, now=NOW, spec=SPEC)


# --- fakes -----------------------------------------------------------------------------------------------------------


def copy_without_keys() -> CardState:
    """Every file of a genuine card on a chip with keys of its own."""
    state = made().with_key("card_face", "card_key", private(stranger()))
    return state.with_key("input_support", "application_key", private(stranger()))


def copy_that_refuses_to_sign() -> CardState:
    state = made()
    for application, key in (("card_face", "card_key"), ("input_support", "application_key")):
        old = state.applications[application]
        keys = {name: content for name, content in old.keys.items() if name != key}
        state = replaced(state, application, replace(old, keys=keys))
    return state


def copy_with_its_own_key_on_record() -> CardState:
    """The key's record is replaced together with the key: then nobody signed it."""
    state = copy_without_keys()
    data = file_of(state, "input_support", "application_public_key")
    fake = rewritten("input_support", "application_public_key", data, modulus=modulus(stranger()))
    face = rewritten("card_face", "face", file_of(state, "card_face", "face"), modulus=modulus(stranger()))
    age = rewritten("card_face", "age", file_of(state, "card_face", "age"), modulus=modulus(stranger()))
    return with_files(with_files(state, "input_support", application_public_key=fake), "card_face", face=face, age=age)


def edited_address() -> CardState:
    data = file_of(made(), "input_support", "basic_four")
    fake = rewritten("input_support", "basic_four", data, address="東京都清瀬市別人町９－９－９")
    return with_files(made(), "input_support", basic_four=fake)


def edited_address_with_its_digest() -> CardState:
    """... and EF 0003 made to fit: then its signature does not."""
    state = edited_address()
    record = decode(SPEC["input_support"].layouts["basic_four"], file_of(state, "input_support", "basic_four"))
    digest = hashlib.sha256(record.content[record.end["offsets"] :]).digest()
    data = file_of(state, "input_support", "record_signature")
    fake = rewritten("input_support", "record_signature", data, basic_four_digest=digest)
    return with_files(state, "input_support", record_signature=fake)


def edited_face(**values: Any) -> CardState:
    return with_files(
        made(), "card_face", face=rewritten("card_face", "face", file_of(made(), "card_face", "face"), **values)
    )


def another_photo() -> CardState:
    other = decode(SPEC["card_face"].layouts["face"], file_of(made("child"), "card_face", "face"))
    return edited_face(photo=other["photo"])


def two_cards_mixed() -> CardState:
    """Records of one person, certificates of another's municipality."""
    other = made("sapporo")
    state = with_files(made(), "input_support", cv_certificate=file_of(other, "input_support", "cv_certificate"))
    return with_files(state, "card_face", cv_certificate=file_of(other, "card_face", "cv_certificate"))


def another_issues_signature() -> CardState:
    """EF 0003 of another card of the same municipality: well signed, over other records."""
    return with_files(
        made(), "input_support", record_signature=file_of(made("expired"), "input_support", "record_signature")
    )


def another_persons_face() -> CardState:
    """The face application, chip and all, of somebody else: each application is proved, but they do not agree."""
    other = made("expired")
    return replaced(made(), "card_face", other.applications["card_face"])


def foreign_ca() -> CardState:
    """A CA of the forger's under the real CA's key id certifies the forger's signer, who signs a whole card."""
    state = made()
    for application in ("input_support", "card_face"):
        data = file_of(state, application, "cv_certificate")
        fake = rewritten(application, "cv_certificate", data, modulus=modulus(stranger()))
        body = decode(SPEC[application].layouts["cv_certificate"], fake).contents["body"]
        fake = rewritten(application, "cv_certificate", fake, certificate_signature=sign(stranger(), body))
        state = with_files(state, application, cv_certificate=fake)
    return state


def another_issuer() -> CardState:
    """The same under an id of its own."""
    state = made()
    data = file_of(state, "card_face", "cv_certificate")
    fake = rewritten("card_face", "cv_certificate", data, issuer_key_id=b"5000099\x08\x05001\x00\x00\x00\x00")
    return with_files(state, "card_face", cv_certificate=fake)


def certificate_of_the_other_application() -> CardState:
    other = file_of(made(), "input_support", "cv_certificate")
    return with_files(made(), "card_face", cv_certificate=other)


def weak_signer() -> CardState:
    """A certificate by the real CA over a key that is not accepted."""
    data = file_of(made(), "card_face", "cv_certificate")
    fake = rewritten("card_face", "cv_certificate", data, exponent=b"\x00\x00\x03")
    body = decode(SPEC["card_face"].layouts["cv_certificate"], fake).contents["body"]
    signature = sign(test_pki().cv_ca_key("card_face"), body)
    return with_files(
        made(),
        "card_face",
        cv_certificate=rewritten("card_face", "cv_certificate", fake, certificate_signature=signature),
    )


def weak_card_key() -> CardState:
    """A key with exponent 3, well signed by the municipality."""
    data = rewritten("card_face", "age", file_of(made(), "card_face", "age"), exponent=b"\x00\x00\x03")
    objects = decode(SPEC["card_face"].layouts["age"], data).objects
    signature = sign(test_pki().record_key(CITY), objects["birth_date"] + objects["card_key"])
    return with_files(made(), "card_face", age=rewritten("card_face", "age", data, signature=signature))


def even_card_key() -> CardState:
    broken = modulus(stranger())[:-1] + b"\x00"
    data = rewritten("card_face", "age", file_of(made(), "card_face", "age"), modulus=broken)
    objects = decode(SPEC["card_face"].layouts["age"], data).objects
    signature = sign(test_pki().record_key(CITY), objects["birth_date"] + objects["card_key"])
    return with_files(made(), "card_face", age=rewritten("card_face", "age", data, signature=signature))


def wrong_digest_info(form: str) -> Callable[[], CardState]:
    """The real signer over the real face, in another form than ONE DigestInfo of 96 bytes (card.md §2.2)."""

    def make() -> CardState:
        data = file_of(made(), "card_face", "face")
        parts = decode(SPEC["card_face"].layouts["face"], data).objects
        groups = (
            parts["birth_date"] + parts["sex"] + parts["card_key"],
            parts["name_image"] + parts["address_image"],
            parts["photo"],
        )
        digests = b"".join(hashlib.sha256(group).digest() for group in groups)
        key = test_pki().record_key(CITY)
        signature = {
            "digest of digests": sign(key, digests),
            "all in one": sign(key, b"".join(groups)),
            "bare": sign(key, info=digests),
            "no NULL": sign(key, info=bytes.fromhex("306F300B06096086480165030402010460") + digests),
            "two only": sign(key, *groups[:2]),
            "another order": sign(key, groups[1], groups[0], groups[2]),
        }[form]
        return with_files(made(), "card_face", face=rewritten("card_face", "face", data, signature=signature))

    return make


def chain(which: str) -> Callable[[], CardState]:
    """The card manager's chain, broken."""

    def make() -> CardState:
        mine, other = made().applications["card_manager"].objects, made("sapporo").applications["card_manager"].objects
        layout = SPEC["card_manager"].layouts["cv_certificate"]
        lower, upper = mine["lower_cv_certificate"], mine["upper_cv_certificate"]
        changed = {**decode(layout, lower).values, "modulus": modulus(stranger())}
        elsewhere = {**decode(layout, lower).values, "issuer_key_id": decode(layout, upper)["issuer_key_id"]}
        return {
            "lower forged": lambda: with_objects(made(), lower_cv_certificate=encode(layout, changed)),
            "lower by another": lambda: with_objects(made(), lower_cv_certificate=encode(layout, elsewhere)),
            "lower malformed": lambda: with_objects(made(), lower_cv_certificate=lower[:-1]),
            "lower of another city": lambda: with_objects(made(), lower_cv_certificate=other["lower_cv_certificate"]),
            "no lower": lambda: with_objects(made(), lower_cv_certificate=None),
            "no upper": lambda: with_objects(made(), lower_cv_certificate=None, upper_cv_certificate=None),
        }[which]()

    return make


def truncated(application: str, file: str) -> Callable[[], CardState]:
    def make() -> CardState:
        data = file_of(made(), application, file)
        inner = bytes(octet ^ (0x7F if at == 5 else 0) for at, octet in enumerate(data))  # an inner tag
        return with_files(made(), application, **{file: inner})

    return make


def without(application: str, *files: str) -> Callable[[], CardState]:
    return lambda: with_files(made(), application, **dict.fromkeys(files))


def other_expiry() -> CardState:
    data = made().applications["common"].files["card_information"].records[0]
    fake = data[:-8] + b"20991231"
    old = made().applications["common"]
    files = {**old.files, "card_information": FileState(records=(fake,))}
    return replaced(made(), "common", replace(old, files=files))
