"""Who opens what: every file of 券面事項入力補助AP and of JPKI against every key, closed where no rule opens it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from support import published_test_card, talk

TEXT = "00A4040C0A D3921000310001010408 -> 9000"
JPKI = "00A4040C0A D392F000260100000001 -> 9000"

#: card.md §2.1, §12: EF -> who may read ("-" nobody needed).
TEXT_FILES = {
    "81": {"PIN", "A"},
    "82": {"PIN", "B"},
    "83": {"PIN", "A", "B"},
    "84": {"-"},
    "85": {"-"},
    "86": {"PIN", "A", "B"},
    "87": {"PIN", "A", "B"},
}
#: card.md §2.6, §12.
JPKI_FILES: dict[str, set[str]] = {
    "81": {"SIGN"},
    "82": {"-"},
    "86": {"-"},
    "88": {"-"},
    "89": set(),
    "8A": {"-"},
    "8B": {"-"},
}


def text_keys(card: Any) -> dict[str, str]:
    """VERIFY commands for the adult of fixtures/personas (born Heisei 2-08-03, security code 4271), by card.md §2.3.

    照合番号A is the number in 0001; 照合番号B takes the year of expiry from the record of 共通カードAP.
    """
    record = talk(card, "00A4040C0A D3921000310001010100 -> 9000", "00B2010C00 -> 011C ..{28} 9000")
    year = record[22:26].decode("ascii")
    talk(card, TEXT, "0020009104 35363738 -> 9000")
    number = talk(card, "00B0810011 -> FF100C ..{12} FFFF 9000")[3:15]
    code_b = f"020803{year}4271".encode("ascii")
    return {
        "-": "",
        "PIN": "0020009104 35363738 -> 9000",
        "A": f"002000940C {number.hex()} -> 9000",
        "B": f"002000950E {code_b.hex()} -> 9000",
    }


@pytest.mark.parametrize("key", ["-", "PIN", "A", "B"])
@pytest.mark.parametrize("sfi", sorted(TEXT_FILES))
def test_text_files(soft_card: Callable[..., Any], sfi: str, key: str) -> None:
    card = soft_card("adult")
    verify = text_keys(card)[key]
    talk(card, TEXT, *([verify] if verify else []))
    free = {"-", key} & TEXT_FILES[sfi]
    talk(card, f"00B0{sfi}0003 -> " + ("..{3} 9000" if free else "6982"))


@pytest.mark.parametrize(("sfi", "opens"), [("81", False), ("82", True)])
def test_code_b_of_the_test_card(soft_card: Callable[..., Any], sfi: str, opens: bool) -> None:
    card = soft_card("jlis_test_card")
    talk(card, TEXT, "002000950E 3535303231373230333532323835 -> 9000")
    talk(card, f"00B0{sfi}0003 -> " + ("..{3} 9000" if opens else "6982"))


@pytest.mark.parametrize(
    "keys", [(), ("AUTH",), ("SIGN",), ("AUTH", "SIGN")], ids=lambda keys: "+".join(keys) or "none"
)
@pytest.mark.parametrize("sfi", sorted(JPKI_FILES))
def test_jpki_files(soft_card: Callable[..., Any], sfi: str, keys: tuple[str, ...]) -> None:
    verify = {"AUTH": "0020009804 31323334 -> 9000", "SIGN": "0020009B06 414243313233 -> 9000"}
    card = soft_card("adult")
    talk(card, JPKI, *(verify[key] for key in keys))
    free = {"-", *keys} & JPKI_FILES[sfi]
    talk(card, f"00B0{sfi}0003 -> " + ("..{3} 9000" if free else "6982"))


def test_a_lost_key_closes_again(soft_card: Callable[..., Any]) -> None:
    card = soft_card("adult")
    talk(card, TEXT, "0020009104 35363738 -> 9000", "00B0820003 -> FF20?? 9000", "reset", TEXT, "00B0820003 -> 6982")


@pytest.mark.vectors
def test_the_published_bytes_come_back_as_they_are(soft_card: Callable[..., Any]) -> None:
    published = published_test_card()
    support = published["input_support"]
    card = soft_card("jlis_test_card")
    code_b = published["holder"]["verification_code_b"].encode("ascii").hex()
    my_number = published["holder"]["my_number"].encode("ascii").hex()
    talk(card, TEXT, f"002000950E {code_b} -> 9000", f"00B0820000 -> {support['ef_0002'].upper()} 9000")
    talk(card, f"002000940C {my_number} -> 9000", f"00B0810000 -> {support['ef_0001_physical'].upper()} 9000")
    talk(card, "00A4040C0A D3921000310001010100 -> 9000")
    talk(card, f"00B2010C00 -> {published['common']['record_1'].upper()} 9000")
    talk(card, JPKI)
    label = published["jpki"]["token_label"].encode("ascii").ljust(32).hex()
    talk(card, f"00B0860020 -> {label} 9000", f"00B0880000 -> {published['jpki']['certificate_availability']} 9000")


def test_the_digests_of_the_record_are_those_of_the_files(soft_card: Callable[..., Any]) -> None:
    # card.md §2.1: h1 over the 17 physical bytes of 0001, h2 over 0002 from DF22 to the end of the object.
    card = soft_card("adult")
    talk(card, TEXT, "0020009104 35363738 -> 9000")
    number = talk(card, "00B0810000 -> ..{17} 9000")
    items = talk(card, "00B0820000 -> FF20 .. 9000")
    head = 3 if items[2] < 0x80 else 5
    length = items[2] if head == 3 else int.from_bytes(items[3:5], "big")
    signed = items[head + 11 : head + length]
    assert signed[:2] == b"\xdf\x22"
    record = talk(card, "00B0830000 -> ..{256} 9000")
    assert record[8:40] == hashlib.sha256(number).digest()
    assert record[43:75] == hashlib.sha256(signed).digest()


def test_the_record_is_signed_by_the_key_of_the_cv_certificate(soft_card: Callable[..., Any]) -> None:
    # card.md §2.1, §2.7: DF33 = PKCS#1 v1.5 SHA-256 over DF31 and DF32 with tags and lengths.
    card = soft_card("adult")
    talk(card, TEXT, "0020009104 35363738 -> 9000")
    record = talk(card, "00B0830000 -> ..{256} 9000") + talk(card, "00B0010000 -> ..{80} 9000")
    certificate = b"".join(talk(card, f"{ask} -> .. 9000") for ask in ("00B0840000", "00B0010000", "00B0020000"))
    assert len(certificate) == 568
    body = certificate[10:307]
    assert body[32:41] == bytes.fromhex("900301000191820100")
    public = rsa.RSAPublicNumbers(65537, int.from_bytes(body[41:], "big")).public_key()
    public.verify(record[80:], record[5:75], padding.PKCS1v15(), hashes.SHA256())
