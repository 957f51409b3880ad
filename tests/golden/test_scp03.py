"""Whole conversations of SCP03 that OpenSSL computed, against the client and the software card (ARCHITECTURE §4).

Both are written twice on purpose and could still share a misreading; ``fixtures/scp03`` shares no code with either: a
shell script types GlobalPlatform's formulas, and OpenSSL's command line does the ciphers and MACs.
"""

from __future__ import annotations

import itertools
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from kojin_card.channel import CardChannel
from kojin_card.errors import SecureChannelError
from kojin_card.globalplatform import derivation as client
from kojin_card.globalplatform.keys import StaticKeys
from kojin_card.globalplatform.scp03 import Scp03Session, SecurityLevel, open_session
from kojin_card.iso7816.apdu import CommandApdu
from kojin_card.secret import Secret
from kojin_card.simulator import SoftCard
from kojin_card.simulator.content import KeySet
from kojin_card.simulator.management import scp03 as card_side
from support import ROOT

FOLDER = ROOT / "fixtures" / "scp03"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
ISD = bytes.fromhex("A0000001510000")  # card.md §1
SELECT_ISD = bytes.fromhex("00A4040007A000000151000000")  # card.md §1
FCI = bytes.fromhex("6F098407A00000015100009000")  # GP §11.9.3.1

#: S8 and S16, AES-128 and -256, random and counted challenges, at every level: a lost file must not go unnoticed
WANTED = {
    *(f"s8_aes128_random_{level}" for level in ("01", "03", "11", "13", "33")),
    *(f"s8_aes128_pseudo_{level}" for level in ("01", "03", "33")),
    *(f"s16_aes256_random_{level}" for level in ("01", "03", "33")),
    *(f"s16_aes256_pseudo_{level}" for level in ("01", "03", "13", "33")),
    "s16_aes128_random_33",
    "s8_aes256_pseudo_33",
}


@cache
def conversation(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))


def octets(found: dict[str, Any], key: str) -> bytes:
    return bytes.fromhex(found[key])


def test_every_wanted_conversation_is_there() -> None:
    assert set(NAMES) == WANTED


@pytest.mark.foreign("openssl", "bash")
@pytest.mark.parametrize("name", ["s8_aes128_random_33", "s16_aes256_pseudo_33"])
def test_the_typed_bytes_are_those_of_openssl(name: str) -> None:
    command = ["bash", "tools/scp03_vectors.sh", name]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout == (FOLDER / f"{name}.toml").read_text("utf-8")


# --- the client -------------------------------------------------------------------------------------------------------


class Played:
    """The card's part of a conversation; any other command is an error."""

    description = "conversation"

    def __init__(self, steps: list[tuple[bytes, bytes]]) -> None:
        self.steps = steps
        self.at = 0

    def transmit(self, command: bytes) -> bytes:
        due, answer = self.steps[self.at]
        assert command == due, f"step {self.at}: {command.hex().upper()}, typed {due.hex().upper()}"
        self.at += 1
        return answer


def played(found: dict[str, Any]) -> Played:
    return Played([(SELECT_ISD, FCI), *((octets(one, "sent"), octets(one, "received")) for one in found["step"])])


def static_keys(found: dict[str, Any], prefix: str = "") -> StaticKeys:
    enc, mac, dek = (Secret(octets(found, prefix + name)) for name in ("enc", "mac", "dek"))
    return StaticKeys(int(found["new_version" if prefix else "key_version"], 16), enc, mac, dek)


def opened(card: Played, found: dict[str, Any]) -> Scp03Session:
    return open_session(
        CardChannel(card, ours=True),
        ISD,
        static_keys(found),
        SecurityLevel(int(found["level"], 16)),
        s16=found["mode"] == "S16",
        random=lambda size: octets(found, "host_challenge")[:size],
    )


def _thirds(data: bytes) -> list[bytes]:
    return [data[:3], data[3:6], data[6:]]


def plain(text: str) -> CommandApdu:
    return CommandApdu.decode(bytes.fromhex(text))


@pytest.mark.parametrize("name", NAMES)
def test_the_client_says_what_was_typed(name: str) -> None:
    found = conversation(name)
    card = played(found)
    session = opened(card, found)
    assert session.peer.counter == (int(found["sequence_counter"] or "0", 16) if found["pseudo_random"] else None)
    for step in found["step"][2:]:
        answer = session.send(plain(step["plain"]), operation="test")
        assert (answer.data + answer.sw.to_bytes(2, "big")).hex().upper() == step["answer"]
    assert card.at == len(card.steps)
    assert not session.is_over


@pytest.mark.parametrize("name", NAMES)
def test_the_client_puts_the_typed_key_set(name: str) -> None:
    """PUT KEY from the keys themselves: DEK, lengths and check values, beside the protection of the session."""
    found = conversation(name)
    session = opened(played(found), found)
    data = bytes((int(found["new_version"], 16),))
    new = static_keys(found, "new_")
    for key, check in zip(new.each(), _thirds(new.check_values()), strict=True):
        wrapped = session.wrapped_key(key)
        data += bytes((0x88, len(wrapped) + 1, len(wrapped))) + wrapped + b"\x03" + check
    (typed,) = (step["plain"] for step in found["step"][2:] if step["plain"].startswith("80D8"))
    assert plain(typed).data == data


@pytest.mark.parametrize("name", [name for name in NAMES if int(name[-2:], 16) & 0x10])
def test_the_client_ends_at_any_other_bit_of_an_answer(name: str) -> None:
    found = conversation(name)
    step = found["step"][2]
    received = octets(step, "received")
    for bit in range(0, 8 * (len(received) - 2), 7):
        card = played(found)
        session = opened(card, found)
        bad = bytearray(received)
        bad[bit // 8] ^= 1 << bit % 8
        card.steps[card.at] = card.steps[card.at][0], bytes(bad)
        with pytest.raises(SecureChannelError):
            session.send(plain(step["plain"]), operation="test")
        assert session.is_over


# --- the software card ------------------------------------------------------------------------------------------------


@pytest.fixture
def card_of(card_state: Callable[..., Any]) -> Callable[[dict[str, Any]], SoftCard]:
    """A software card with the keys, counter and random numbers of a conversation."""

    def make(found: dict[str, Any]) -> SoftCard:
        state = card_state("adult")
        knobs = replace(state.knobs, scp03_s16=found["mode"] == "S16", scp03_pseudo_random=found["pseudo_random"])
        enc, mac, dek = (octets(found, one) for one in ("enc", "mac", "dek"))
        keys = KeySet(int(found["key_version"], 16), enc, mac, dek)
        # the counter rises before it is used
        counter = int(found["sequence_counter"] or "1", 16) - 1
        privileges = octets(found, "privileges")
        issuer = replace(state.content.issuer, privileges=privileges, keys=(keys,), sequence=counter)
        return SoftCard.in_memory(
            replace(state, knobs=knobs, content=replace(state.content, issuer=issuer)),
            random=lambda size: octets(found, "card_challenge")[:size],
        )

    return make


def answered(card: SoftCard, found: dict[str, Any]) -> Iterator[tuple[bytes, bytes]]:
    """Each answer and the typed one; the ten bytes that tell cards apart are left out."""
    assert card.transmit(SELECT_ISD)[-2:] == b"\x90\x00"
    for number, step in enumerate(found["step"]):
        skip = 10 if number == 0 else 0
        yield card.transmit(octets(step, "sent"))[skip:], octets(step, "received")[skip:]


@pytest.mark.parametrize("name", NAMES)
def test_the_software_card_answers_as_typed(name: str, card_of: Callable[[dict[str, Any]], SoftCard]) -> None:
    found = conversation(name)
    card = card_of(found)
    for number, (answer, typed) in enumerate(answered(card, found)):
        assert answer.hex().upper() == typed.hex().upper(), f"step {number}"
    content = card.state.content
    assert content is not None
    added = content.issuer.keys[-1]
    new = [octets(found, f"new_{one}") for one in ("enc", "mac", "dek")]
    assert [added.version, added.enc, added.mac, added.dek] == [int(found["new_version"], 16), *new]


@pytest.mark.parametrize("name", ["s8_aes128_random_33", "s16_aes256_pseudo_03"])
def test_the_software_card_refuses_any_other_bit_of_a_command(
    name: str, card_of: Callable[[dict[str, Any]], SoftCard]
) -> None:
    """In header, data or MAC: 6982 (or the refusal of a class that is none), and the session is over."""
    found = conversation(name)
    sent = octets(found["step"][4], "sent")
    assert sent[1] == 0xF2
    for bit in [*range(8 * 1, 8 * 4), *range(8 * 5, 8 * (len(sent) - 1), 5)]:
        card = card_of(found)
        for _ in itertools.islice(answered(card, found), 4):
            pass
        bad = bytearray(sent)
        bad[bit // 8] ^= 1 << bit % 8
        assert card.transmit(bytes(bad)).hex() == "6982", f"bit {bit}"
        assert card.transmit(sent).hex() in ("6982", "6985"), f"after bit {bit}"


# --- published vectors ------------------------------------------------------------------------------------------------

MESSAGE = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
#: RFC 4493 §4 (AES-128) and NIST SP 800-38B, examples D.3 (AES-256): key, octets of MESSAGE, MAC
CMACS = (
    ("2b7e151628aed2a6abf7158809cf4f3c", 0, "bb1d6929e95937287fa37d129b756746"),
    ("2b7e151628aed2a6abf7158809cf4f3c", 16, "070a16b46b4d4144f79bdd9dd04a287c"),
    ("2b7e151628aed2a6abf7158809cf4f3c", 40, "dfa66747de9ae63030ca32611497c827"),
    ("2b7e151628aed2a6abf7158809cf4f3c", 64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 0, "028962f61b7bf89efc6b551f4667d983"),
    ("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 16, "28a7023f452e8f82bd4bf28d8c37c35c"),
    ("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 40, "aaf3d8f1de5640c232f5b169b9c911e6"),
    ("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 64, "e1992190549f6ed5696a2c056c315410"),
)


@pytest.mark.parametrize(("key", "length", "mac"), CMACS)
@pytest.mark.parametrize("cmac", [client.cmac, card_side.cmac], ids=["client", "card"])
def test_cmac_is_that_of_rfc_4493_and_nist(
    cmac: Callable[[bytes, bytes], bytes], key: str, length: int, mac: str
) -> None:
    assert cmac(bytes.fromhex(key), MESSAGE[:length]).hex() == mac


#: NIST CAVS 14.4, "SP800-108 - KDF", counter mode, CMAC_AES128, RLEN 8: key, before the counter, after it, output.
#: The counter in front: COUNT 0, 10, 20. In the middle, as SCP03 has it: COUNT 0, 1.
DERIVED = (
    (
        "dff1e50ac0b69dc40f1051d46c2b069c",
        "",
        "c16e6e02c5a3dcc8d78b9ac1306877761310455b4e41469951d9e6c2245a064b33fd8c3b01203a7824485bf0a64060c4648b707d260793"
        "5699316ea5",
        "8be8f0869b3c0ba97b71863d1b9f7813",
    ),
    (
        "682e814d872397eba71170a693514904",
        "",
        "e323cdfa7873a0d72cd86ffb4468744f097db60498f7d0e3a43bafd2d1af675e4a88338723b1236199705357c47bf1d89b2f4617a34098"
        "0e6331625c",
        "dac9b6ca405749cfb065a0f1e42c7c4224d3d5db32fdafe9dee6ca193316f2c7",
    ),
    (
        "7aa9973481d560f3be217ac3341144d8",
        "",
        "46f88b5af7fb9e29262dd4e010143a0a9c465c627450ec74ab7251889529193e995c4b56ff55bc2fc8992a0df1ee8056f6816b7614fba4"
        "c12d3be1a5",
        "1746ae4f09903f74bfbe1b8ae2b79d74576a3b09",
    ),
    (
        "b6e04abd1651f8794d4326f4c684e631",
        "93612f7256c46a3d856d3e951e32dbf15fe11159d0b389ad38d603850fee6d18d22031435ed36ee20da76745fbea4b10fe1e",
        "99322aae605a5f01e32b",
        "dcb1db87a68762c6b3354779fa590bef",
    ),
    (
        "f1e71b1dd502aad84728834bfcdb281c",
        "f9df43aaafc930f8b2a45a4bf6fb1e0f51237d4d4c2768304b407b7816e77eadab3030fd2cb21c619be5540250579f275a19",
        "2d965ea59a8b6cc432ad",
        "f405141e34dd81817c7b608fab372e6a",
    ),
)


@pytest.mark.parametrize(("key", "before", "after", "output"), DERIVED)
def test_counter_mode_is_that_of_sp_800_108(key: str, before: str, after: str, output: str) -> None:
    made = client.counter_kdf(
        lambda message: client.cmac(bytes.fromhex(key), message),
        lambda number: bytes.fromhex(before) + bytes((number,)) + bytes.fromhex(after),
        len(output) // 2,
    )
    assert made.hex() == output


@pytest.mark.parametrize("name", NAMES)
def test_both_derive_the_typed_session_keys(name: str) -> None:
    found = conversation(name)
    context = octets(found, "host_challenge") + octets(found, "card_challenge")
    for static, constant, typed in (("enc", 0x04, "s_enc"), ("mac", 0x06, "s_mac"), ("mac", 0x07, "s_rmac")):
        key, size = octets(found, static), len(octets(found, static))
        assert client.scp03_derive(key, client.Purpose(constant), context, size) == octets(found, typed)
        assert card_side.derive(key, constant, context, size) == octets(found, typed)
