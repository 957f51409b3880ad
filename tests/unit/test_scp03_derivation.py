"""AES-CMAC, the KDF in counter mode and the diversification of keys, against published vectors and by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.security_domain import hand_cmac
from kojin_card.errors import UsageError
from kojin_card.globalplatform import FileMaster, MasterKey, StaticKeys, TrialKeys, diversify
from kojin_card.globalplatform.derivation import (
    Purpose,
    cmac,
    counter_kdf,
    decrypt,
    encrypt,
    key_check_value,
    pad,
    scp03_derive,
    unpad,
)
from kojin_card.secret import Secret

# RFC 4493 §4
RFC_KEY = "2b7e151628aed2a6abf7158809cf4f3c"
RFC_MESSAGE = (
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
RFC = [
    (0, "bb1d6929e95937287fa37d129b756746"),
    (16, "070a16b46b4d4144f79bdd9dd04a287c"),
    (40, "dfa66747de9ae63030ca32611497c827"),
    (64, "51f0bebf7e3b9d92fc49741779363cfe"),
]

# NIST CAVS "KDFCTR_gen.rsp" (SP 800-108), CTRLOCATION=BEFORE_FIXED: bytes of the counter, KI, FixedInputData, KO.
# RLEN=8 is the form that keys are diversified in here.
CAVS = [
    (
        1,
        "dff1e50ac0b69dc40f1051d46c2b069c",
        "c16e6e02c5a3dcc8d78b9ac1306877761310455b4e41469951d9e6c2245a064b33fd8c3b01203a7824485bf0a64060c4648b707d26079356"
        "99316ea5",
        "8be8f0869b3c0ba97b71863d1b9f7813",
    ),
    (
        1,
        "c3ba16a8ec864c0f6f27cea220eccaaa",
        "c20ff015ea1e1c97fed4e973b46a9b2626cb3ac9a8776cb08d73d4534d3837ccf88e93d1682c6e779ea9f2f9ede47a2e07ef281d8867722b"
        "310c1cae",
        "ceeaab29648cff00b89f7330076298b1e036d73ed7c5e61f2e97bd5ce0920f0f45133eaca3d3712b",
    ),
    (
        1,
        "aeb7201d055f754212b3e497bd0b25789a49e51da9f363df414a0f80e6f4e42c",
        "11ec30761780d4c44acb1f26ca1eb770f87c0e74505e15b7e456b019ce0c38103c4d14afa1de71d340db51410596627512cf199fffa20ef8"
        "c5f4841e",
        "2a9e2fe078bd4f5d3076d14d46f39fb2",
    ),
    (
        3,
        "4d71923280fb4a11b25f9d58d67704d8f8bb2d64d89edb9ee6f3de32e4601efc",
        "e27b8f350bc1360ddc476cb0cae886f0161da22ee8159c330f545af1d782a0f0aacc3c3de6215807161df09336d470b5b4db1cc0ce73ed1d"
        "3ea24380",
        "b5b2bb675fe7b04a52340bd5cf248d5258a1f837dad747ee8a4e904608a8977d",
    ),
    (
        4,
        "695f1b1a16c949cea51cdf2554ec9d42",
        "4fce5942832a390aa1cbe8a0bf9d202cb799e986c9d6b51f45e4d597a6b57f06a4ebfec6467335d116b7f5f9c5b954062f661820f5db2a5b"
        "bb3e0625",
        "d34b601ec18c34dfa0f9e0b7523e218bdddb9befe8d08b6c0202d75ace0dba89",
    ),
]


@pytest.mark.parametrize(("length", "mac"), RFC)
def test_cmac_is_that_of_rfc_4493(length: int, mac: str) -> None:
    message = bytes.fromhex(RFC_MESSAGE)[:length]
    assert cmac(bytes.fromhex(RFC_KEY), message).hex() == mac
    assert hand_cmac(bytes.fromhex(RFC_KEY), message).hex() == mac, "the tests' own"


@pytest.mark.parametrize(("counter", "key", "fixed", "expected"), CAVS)
def test_the_kdf_is_that_of_sp_800_108(counter: int, key: str, fixed: str, expected: str) -> None:
    made = counter_kdf(
        lambda message: cmac(bytes.fromhex(key), message),
        lambda number: number.to_bytes(counter, "big") + bytes.fromhex(fixed),
        len(expected) // 2,
    )
    assert made.hex() == expected


def test_a_real_card_makes_its_challenges_as_amendment_d_says() -> None:
    """An eUICC, as recorded in public: AID, sequence counter 000002 and key 00..0F give this challenge."""
    context = bytes.fromhex("000002A0000005591010FFFFFFFF8900000100")
    assert scp03_derive(bytes(range(16)), Purpose.CARD_CHALLENGE, context, 8).hex() == "3eb51047495b249f"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("404142434445464748494a4b4c4d4e4f", "504a77"),
        ("000102030405060708090a0b0c0d0e0f", "c35280"),
        ("101112131415161718191a1b1c1d1e1f", "013808"),
        ("202122232425262728292a2b2c2d2e2f", "840de5"),
    ],
)
def test_check_values_are_those_of_published_cards(key: str, value: str) -> None:
    assert key_check_value(bytes.fromhex(key)).hex() == value


@given(st.binary(max_size=300))
def test_padding_comes_off_again(data: bytes) -> None:
    padded = pad(data)
    assert len(padded) % 16 == 0
    assert 1 <= len(padded) - len(data) <= 16
    assert unpad(padded) == data


@given(st.binary(max_size=64))
def test_what_was_not_padded_is_never_taken_for_it(data: bytes) -> None:
    clear = unpad(data)
    assert clear is None or pad(clear) == data


@given(st.binary(max_size=64).map(pad), st.binary(min_size=32, max_size=32))
def test_what_was_enciphered_comes_back(data: bytes, key: bytes) -> None:
    assert decrypt(key, bytes(16), encrypt(key, bytes(16), data)) == data


# --- diversification -------------------------------------------------------------------------------------------------

CARD = b"1234567890ABCDEF"


@pytest.mark.parametrize("bits", [128, 256])
def test_the_keys_of_a_card_are_derived_as_the_contract_says(bits: int) -> None:
    master = bytes(range(bits // 8))
    keys = diversify(FileMaster(Secret(master), version=3), CARD)
    for key, label in zip(keys.each(), (b"kojin-enc", b"kojin-mac", b"kojin-dek"), strict=True):
        due = b""
        for block in range(1, bits // 128 + 1):
            text = bytes((block,)) + label + b"\x00" + CARD + bytes((bits >> 8, bits & 0xFF))
            due += hand_cmac(master, text)
        assert key.reveal() == due
    assert (keys.version, keys.bits, keys.trial) == (3, bits, False)


def test_every_card_and_every_key_is_another() -> None:
    master = FileMaster(Secret(bytes(32)))
    values = {key.reveal() for card in (CARD, CARD[:-1] + b"G") for key in diversify(master, card).each()}
    assert len(values) == 6


def test_trial_keys_are_the_public_ones_undiversified_and_say_so() -> None:
    trial = TrialKeys()
    assert isinstance(trial, MasterKey)
    keys = diversify(trial, CARD)
    assert {key.reveal().hex() for key in keys.each()} == {"404142434445464748494a4b4c4d4e4f"}
    assert keys.trial
    assert keys.version == 0xFF
    assert "PUBLIC" in trial.description
    assert "PUBLIC" in repr(trial)
    assert trial.cmac(b"") == hand_cmac(bytes(range(0x40, 0x50)), b"")


def test_a_master_key_serves_a_named_card_only() -> None:
    with pytest.raises(UsageError):
        diversify(FileMaster(Secret(bytes(16))), b"")


@pytest.mark.parametrize(
    ("version", "sizes"),
    [(0, (16, 16, 16)), (0x80, (16, 16, 16)), (1, (16, 16, 32)), (1, (24, 24, 24)), (1, (0, 0, 0))],
)
def test_no_key_set_that_no_card_has(version: int, sizes: tuple[int, int, int]) -> None:
    enc, mac, dek = (Secret(bytes(size)) for size in sizes)
    with pytest.raises(UsageError):
        StaticKeys(version, enc, mac, dek)


def test_keys_show_nowhere_and_are_wiped() -> None:
    keys = TrialKeys().static()
    assert "40" not in repr(keys).replace("0x", "")
    with keys:
        pass
    assert not any(key.reveal() for key in keys.each())
