"""Content management of the software card, command by command, in hex: the registry, domains, slots, keys, room.

The host is :mod:`gp_host`. What an owner can reach, what only the issuer can, and every word of refusal of the spec.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kojin_card.simulator import Knobs, SoftCard, cardformat
from kojin_card.spec import load_card_spec
from simulator.gp_host import (
    ISD,
    SLOT_1,
    SLOT_2,
    SSD_1,
    SSD_2,
    TRIAL,
    Host,
    Keys,
    cbc,
    check_value,
    command,
    install_domain,
    install_slot,
    lv,
    made_domain,
    own_keys,
    owner,
    put_key,
    sw,
)
from support import talk

MakeCard = Callable[..., Any]
SPEC = load_card_spec()
JPKI = bytes.fromhex("00A4040C0AD392F000260100000001")
QUOTA = bytes.fromhex("EF06C804")


def shown(value: object) -> str | None:
    """The name of a row: its command in hex."""
    return value.hex().upper() if isinstance(value, bytes) else None


def issuer(card: Any) -> Host:
    return Host(card).open(ISD)


def two_owners(card: Any) -> tuple[Keys, Keys]:
    """Two domains, a slot under each."""
    first, second = own_keys(seed=0x01), own_keys(seed=0x81)
    made_domain(card, SSD_1, "13101", first)
    made_domain(card, SSD_2, "13102", second)
    Host(card, first).open(SSD_1).ok(install_slot(SLOT_1))
    Host(card, second).open(SSD_2).ok(install_slot(SLOT_2))
    return first, second


# --- who has it at all ------------------------------------------------------------------------------------------------


def test_a_new_card_has_an_empty_free_area_and_the_public_keys(soft_card: MakeCard) -> None:
    content = soft_card("adult").state.content
    (keys,) = content.issuer.keys
    assert (content.issuer.aid, content.issuer.life_cycle, content.domains, content.slots) == (ISD, 0x0F, (), ())
    assert (keys.version, keys.enc, keys.mac, keys.dek) == (0xFF, TRIAL, TRIAL, TRIAL)


@pytest.mark.parametrize("persona", ["iphone", "android"])
def test_a_phone_has_none(soft_card: MakeCard, persona: str) -> None:
    card = soft_card(persona)
    assert card.state.content is None
    talk(
        card,
        "00A4040C06 F04B4F4A5344 -> 6A82",
        "8050000008 1011121314151617 00 -> 6982",
        "8482010010 00000000000000000000000000000000 -> 6882",
        "80F2800202 4F00 00 -> 6D00",
        "80CA00E000 -> 6D00",
    )


def test_a_card_of_an_earlier_file_answers_as_before(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    card.alter(lambda state: replace(state, content=None))
    talk(
        card,
        "00A4040C08 A000000151000000 -> 6A82",
        "00A4040C07 A0000001510000 -> 9000",
        "8050000008 1011121314151617 00 -> 6982",
        "8482010010 00000000000000000000000000000000 -> 6882",
        "80F2800202 4F00 00 -> 6D00",
        "80CA00E000 -> 6D00",
        "80CA004200 -> 6D00",
        "00CA00E000 -> 6A88",
        "00CA004500 -> ??.. 9000",
        "80E6000000 -> 6D00",
    )


@pytest.mark.parametrize("aid", ["D392F000260100000001", "D3921000310001010408", "D3921000310001010402"])
def test_nothing_of_it_answers_in_another_application(soft_card: MakeCard, aid: str) -> None:
    talk(
        soft_card("adult"),
        f"00A4040C0A {aid} -> 9000",
        "8050000008 1011121314151617 00 -> 6982",
        "8482010010 00000000000000000000000000000000 -> 6882",
        *(f"80{ins}000000 -> 6D00" for ins in ("F2", "E6", "E2", "F0", "E4", "D8", "CA", "E8")),
        "04B0000000 -> 6882",
    )


# --- SELECT -----------------------------------------------------------------------------------------------------------


def test_the_issuers_domain_has_its_usual_name_too(soft_card: MakeCard) -> None:
    talk(
        soft_card("adult"),
        "00A4040C0A D392F000260100000001 -> 9000",
        "00A4040008 A000000151000000 00 -> 6F09 8407 A0000001510000 9000",
        "00CA004500 -> ??.. 9000",
        "00A4040C09 A00000015100000000 -> 6A82",
    )


def test_walking_the_domains_and_slots(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    two_owners(card)
    first, second = SLOT_1.hex(), SLOT_2.hex()
    talk(
        card,
        "reset",
        f"00A4040006 F04B4F4A494E 00 -> 6F10 840E {first} 9000",
        f"00A4040206 F04B4F4A494E 00 -> 6F10 840E {second} 9000",
        "00A4040206 F04B4F4A494E 00 -> 6A82",
        f"00A4040006 F04B4F4A5344 00 -> 6F10 840E {SSD_1.hex()} 9000",
        f"00A4040206 F04B4F4A5344 00 -> 6F10 840E {SSD_2.hex()} 9000",
        f"00A4040204 F04B4F4A 00 -> 6F10 840E {first} 9000",
        f"00A4040C0E {second} -> 9000",
        "00A4020C02 0001 -> 6A82",
        f"00A4040C0E {SSD_1.hex()} -> 9000",
        "00A4020C02 0001 -> 6A82",
        "00B0810000 -> 6D00",
        "00CA004500 -> 6A88",
        "80CA00CF00 -> CF0A ..{10} 9000",
        "80CAFF2100 -> 6A88",
    )


# --- GET DATA ---------------------------------------------------------------------------------------------------------


def test_what_every_domain_tells(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    talk(
        card,
        "80CA00E000 -> E012 C00401FF8810 C00402FF8810 C00403FF8810 9000",
        "00CA00E000 -> C00401FF8810 C00402FF8810 C00403FF8810 9000",
        "80CA00C100 -> C103 000000 9000",
        "80CAFF2100 -> 6982",
        "80CA006600 -> 6631 732F .. 06092A864886FC6B040370 9000",
        "80CA004500 -> 45.. 9000",
        "80CA00E0 -> 6700",
        "80CA00E00100 00 -> 6700",
        "80CA00E100 -> 6A88",
    )
    import hashlib

    number = talk(card, "00CA004500 -> ??.. 9000")
    assert talk(card, "00CA00CF00 -> ..{10} 9000") == bytes(2) + hashlib.sha256(number).digest()[-8:]


def test_a_domain_without_keys_has_none_to_tell(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    issuer(card).ok(install_domain())
    talk(card, f"00A4040C0E {SSD_1.hex()} -> 9000", "80CA00E000 -> 6A88", "80CA00C100 -> C103 000001 9000")


# --- GET STATUS -------------------------------------------------------------------------------------------------------


def test_the_registry_of_an_empty_card(soft_card: MakeCard) -> None:
    host = issuer(soft_card("adult"))
    rows = {
        "80F28002024F00": "E3124F07A00000015100009F70010FC503905C00",
        "80F28000024F00": "07A00000015100000F90",
        "80F22002024F00": "E3164F07A00000015153509F700101CC07A0000001510000"
        "E3164F07F04B4F4A4C46019F700101CC07A0000001510000",
        "80F21002024F00": "E3204F07A00000015153509F700101CC07A00000015100008408A000000151535041"
        "E31F4F07F04B4F4A4C46019F700101CC07A00000015100008407F04B4F4A4D4401",
        "80F22000024F00": "07A0000001515350010007F04B4F4A4C46010100",
        "80F21000024F00": "07A000000151535001000108A00000015153504107F04B4F4A4C460101000107F04B4F4A4D4401",
        "80F28002054F03A00000": "E3124F07A00000015100009F70010FC503905C00",
    }
    for apdu, data in rows.items():
        assert host.ok(apdu).hex().upper() == data, apdu


@pytest.mark.parametrize(
    ("apdu", "word"),
    [
        ("80F24002024F00", "6A88"),
        ("80F28002034F01A1", "6A88"),
        ("80F28003024F00", "6A88"),
        ("80F28004024F00", "6A86"),
        ("80F28082024F00", "6A86"),
        ("80F20002024F00", "6A86"),
        ("80F26002024F00", "6A86"),
        ("80F28002", "6A80"),
        ("80F28002014F", "6A80"),
        ("80F28002025C00", "6A80"),
        ("80F28002044F005C01", "6A80"),
        ("80F28002054F005C019F", "6A80"),
        ("80F28002044F004F00", "6A80"),
        ("80F28002134F11" + "A0" * 17, "6A80"),
    ],
)
def test_what_get_status_refuses(soft_card: MakeCard, apdu: str, word: str) -> None:
    host = issuer(soft_card("adult"))
    assert host.send(apdu) == (b"", word)
    assert host.send("80F28002024F00")[1] == "9000"


def test_tag_lists(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    first, _ = two_owners(card)
    one, two, slot = SSD_1.hex(), SSD_2.hex(), SLOT_1.hex()
    host = issuer(card)
    found = host.ok("80F240020D4F005C094F9F70DF71DF72DF73").hex().upper()
    expected = (
        f"E3284F0E{one}9F70010FDF7106013133313031DF720800002000000001C0"
        f"E3284F0E{two}9F70010FDF7106013133313032DF720800002000000001C0"
        f"E3184F0E{slot}9F700107DF730100E3184F0E{SLOT_2.hex()}9F700107DF730100"
    )
    assert found == expected.upper()
    assert host.ok("80F24002084F06F04B4F4A494E").hex().upper().count("E3324F0E") == 2
    assert host.ok("80F24002054F005C01C5").hex().upper() == "E305C503804000" * 2 + "E305C503000000" * 2
    assert host.ok("80F24002054F005C01C0").hex().upper() == "E300" * 4
    own = Host(card, first).open(SSD_1)
    found = own.ok("80F240020B4F005C074F9F70DF72DF73").hex().upper()
    assert found == f"E31F4F0E{one}9F70010FDF720800002000000001C0E3184F0E{slot}9F700107DF730100".upper()


def test_an_owner_sees_its_domain_and_its_slots_only(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    first, _ = two_owners(card)
    host = Host(card, first).open(SSD_1)
    assert host.ok("80F24000024F00").hex() == f"0e{SSD_1.hex()}0f800e{SLOT_1.hex()}0700"
    for apdu in ("80F28002024F00", "80F22002024F00", "80F21002024F00", "80F24002104F0E" + SSD_2.hex()):
        assert host.send(apdu) == (b"", "6A88"), apdu


def test_an_owner_is_not_told_whose_domain_it_is_by_a_tag(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    first, _ = two_owners(card)
    assert Host(card, first).open(SSD_1).ok("80F24002064F005C02DF71").hex() == "e300e300"


@pytest.mark.parametrize("level", [0x01, 0x33])
@pytest.mark.parametrize("s16", [False, True])
def test_pages(soft_card: MakeCard, level: int, s16: bool) -> None:
    """Each page fits into one answer with its padding and MAC; 6310 until the last."""
    card = soft_card("adult", scp03_s16=s16)
    size = 16 if s16 else 8
    host = Host(card, size=size).open(ISD, level)
    names = [bytes.fromhex(f"F04B4F4A5344 00000000000000{n:02X}") for n in range(13)]
    for n, name in enumerate(names):
        host.ok(install_domain(name, owner(f"131{n:02}") + QUOTA + (1024).to_bytes(4, "big")))
    data, word = host.send("80F24002024F00")
    found, pages = data, 1
    while word == "6310":
        assert len(data) <= 239
        data, word = host.send("80F24003024F00")
        found, pages = found + data, pages + 1
    assert word == "9000"
    assert pages == 3  # 45 bytes each: five, five, three
    assert [found[45 * n + 4 :][:14] for n in range(13)] == names
    assert host.send("80F24003024F00") == (b"", "6A88")
    # the short form: 17 bytes each, 14 to a page
    data, word = host.send("80F24000024F00")
    assert (len(data), word) == (13 * 17, "9000")
    # 23 bytes each: ten are 230, and eleven would fit without padding and MAC only
    data, word = host.send("80F24002064F005C024FC5")
    assert (len(data), word) == (230, "6310")
    assert host.send("80F24003064F005C024FC5")[1] == "9000"


def test_a_next_page_needs_the_same_search_and_an_unchanged_registry(soft_card: MakeCard) -> None:
    host = issuer(soft_card("adult"))
    for n in range(7):
        host.ok(install_domain(bytes.fromhex(f"F04B4F4A5344 00000000000000{n:02X}"), owner(f"131{n:02}")))
    assert host.send("80F24002024F00")[1] == "6310"
    assert host.send("80F24003034F01F0") == (b"", "6A88")
    assert host.send("80F24003024F00")[1] == "9000"
    assert host.send("80F24002024F00")[1] == "6310"
    assert host.send("80F24001024F00") == (b"", "6A88")
    assert host.send("80F24002024F00")[1] == "6310"
    host.ok(command("80E40000", b"\x4f" + lv(bytes.fromhex("F04B4F4A5344 0000000000000000"))))
    assert host.send("80F24003024F00") == (b"", "6A88")


# --- INSTALL ----------------------------------------------------------------------------------------------------------


def test_a_domain_and_a_slot_are_made(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    host = issuer(card)
    assert host.ok(install_domain()) == b"\x00"
    (domain,) = card.state.content.domains
    assert (domain.aid, domain.life_cycle, domain.privileges) == (SSD_1, 0x07, bytes.fromhex("804000"))
    assert (domain.owner_kind, domain.owner_code, domain.quota, domain.keys) == (1, "13101", 8192, ())
    keys = own_keys(256)
    Host(card).open(SSD_1, 0x03).ok(put_key(keys, TRIAL))
    assert card.state.content.domains[0].life_cycle == 0x0F
    assert Host(card, keys).open(SSD_1).ok(install_slot()) == b"\x00"
    (slot,) = card.state.content.slots
    assert (slot.aid, slot.domain, slot.life_cycle, slot.counter, slot.active) == (SLOT_1, SSD_1, 0x07, 0, None)


@pytest.mark.parametrize(
    ("kind", "code", "good"),
    [
        (1, "13101", True),
        (1, "1310", False),
        (1, "1310A", False),
        (2, "13", True),
        (2, "013", False),
        (3, "A", True),
        (3, "0123456789ABCDEF", True),
        (3, "0123456789ABCDEFG", False),
        (3, "abc", False),
        (3, "", False),
        (4, "7000012050002", True),
        (4, "700001205000", False),
        (4, "7000012050003", False),  # the check digit
        (4, "8000012050002", False),
        (2, "48", False),
        (1, "48101", False),
        (0, "13101", False),
        (5, "13101", False),
    ],
)
def test_owners_of_a_domain(soft_card: MakeCard, kind: int, code: str, good: bool) -> None:
    host = issuer(soft_card("adult"))
    assert host.send(install_domain(parameters=owner(code, kind))) == ((b"\x00", "9000") if good else (b"", "6A80"))


@pytest.mark.parametrize(
    ("apdu", "word"),
    [
        (install_domain(SLOT_1), "6A80"),
        (install_domain(SSD_1[:-1]), "6A80"),
        (install_domain(SSD_1 + b"\x00"), "6A80"),
        (install_domain(privileges="C04000"), "6A80"),
        (install_domain(privileges="805000"), "6A80"),
        (install_domain(privileges="004000"), "6A80"),
        (install_domain(privileges=""), "6A80"),
        (install_domain(privileges="80400000"), "6A80"),
        (install_domain(parameters=b""), "6A80"),
        (install_domain(parameters=b"\xc9\x00"), "6A80"),
        (install_domain(parameters=owner() + bytes.fromhex("EF05C803002000")), "6A80"),
        (install_domain(parameters=owner() + bytes.fromhex("EF06C70400002000")), "6A80"),
        (install_domain(parameters=owner() + owner()), "6A80"),
        (install_domain(parameters=owner() + b"\xea\x00"), "6A80"),
        (install_domain(parameters=owner() + b"\xef"), "6A80"),
        (install_domain(parameters=owner() + QUOTA + bytes.fromhex("00008001")), "6A84"),
        (install_domain(parameters=owner() + QUOTA + bytes.fromhex("000000FF")), "6A84"),
        (install_domain()[:4] + lv(install_domain()[5:] + b"\x00"), "6A80"),
        (install_domain()[:4] + lv(install_domain()[5:-1]), "6A80"),
        (install_domain()[:4] + lv(install_domain()[5:-1] + b"\x01\x00"), "6985"),  # a token
        (install_domain()[:3] + b"\x01" + install_domain()[4:], "6A86"),
        (install_domain()[:2] + b"\x02" + install_domain()[3:], "6A86"),  # for load
        (install_domain()[:2] + b"\x04" + install_domain()[3:], "6A86"),
        (install_domain()[:2] + b"\x10" + install_domain()[3:], "6A86"),  # for extradition
        (command("80E60C00", bytes.fromhex("07A0000001515351 08A000000151535041 00 00 00 00")), "6A88"),
        (command("80E60C00", bytes.fromhex("07A0000001515350 07F04B4F4A4D4401 00 00 00 00")), "6A88"),
        (command("80E60C00"), "6A80"),
        (command("80E60C00", b"\x80"), "6A80"),
        (install_slot(), "6985"),  # slots are their owner's to make
        (command("80E88000", b"\xc4\x00"), "6985"),  # LOAD
    ],
    ids=shown,
)
def test_what_install_refuses_the_issuer(soft_card: MakeCard, apdu: bytes, word: str) -> None:
    card = soft_card("adult")
    host = issuer(card)
    before = card.state.content
    assert host.send(apdu) == (b"", word)
    assert card.state.content == before


def test_system_parameters_with_nothing_in_them_are_none(soft_card: MakeCard) -> None:
    # Py-GP always writes EF00
    card = soft_card("adult")
    issuer(card).ok(install_domain(parameters=owner() + b"\xef\x00"))
    assert card.state.content.domains[0].quota == 8192


def test_an_aid_and_an_owner_are_there_once(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    host = issuer(card)
    host.ok(install_domain())
    assert host.send(install_domain(SSD_1, owner("13102"))) == (b"", "6985")
    assert host.send(install_domain(SSD_2, owner("13101"))) == (b"", "6985")
    host.ok(install_domain(SSD_2, owner("13101", 3)))  # the same code of another kind is another owner


def test_an_owner_makes_slots_only_with_keys_of_its_own(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    issuer(card).ok(install_domain())
    assert Host(card).open(SSD_1).send(install_slot()) == (b"", "6985")


@pytest.mark.parametrize(
    ("apdu", "word"),
    [
        (install_domain(SSD_2, owner("13102")), "6985"),
        (install_slot(SSD_2), "6A80"),
        (install_slot(SLOT_2[:-1]), "6A80"),
        (install_slot(SLOT_1), "6985"),
        (install_slot(SLOT_2, parameters=owner()), "6A80"),
        (install_slot(SLOT_2, parameters=QUOTA + b"\x00\x00\x10\x00"), "6A80"),
        (install_slot(SLOT_2, privileges="80"), "6A80"),
        (command("80E64000", b"\x00\x00" + lv(SSD_1) + b"\x00" + lv(QUOTA + b"\x00\x00\x7f\xff") + b"\x00"), "6982"),
        (command("80E62000", b"\x00\x00" + lv(SLOT_2) + b"\x00\x00\x00"), "6A88"),
        (command("80E62000", b"\x00\x00" + lv(SSD_1) + b"\x00\x00\x00"), "6A88"),
        (command("80E62000", b"\x01\x00\x00" + lv(SLOT_1) + b"\x00\x00\x00"), "6A80"),
        (command("80E62001", b"\x00\x00" + lv(SLOT_1) + b"\x00\x00\x00"), "6A86"),
        (command("80E29000", b"\x00"), "6985"),
        (command("80F0807F"), "6985"),
        (command("80F04080", SSD_1), "6985"),
        (command("80F04080", SLOT_2), "6A88"),
        (command("80F04080", ISD), "6A88"),
        (command("80E40000", b"\x4f" + lv(SSD_1)), "6985"),
        (command("80E40080", b"\x4f" + lv(SSD_1)), "6985"),
        (command("80E40000", b"\x4f" + lv(SSD_2)), "6A88"),
        (command("80E40000", b"\x4f" + lv(ISD)), "6A88"),
        (command("80E40000", b"\x4f" + lv(bytes.fromhex("F04B4F4A4C4601"))), "6A88"),
    ],
    ids=shown,
)
@pytest.mark.attack("management", "an owner reaches beyond its own domain", "6982, 6985, 6A88; nothing changes")
def test_what_an_owner_cannot_do(soft_card: MakeCard, apdu: bytes, word: str) -> None:
    card = soft_card("adult")
    keys = made_domain(card)
    Host(card, keys).open(SSD_1).ok(install_slot())
    host = Host(card, keys).open(SSD_1)
    before = card.state.content
    assert host.send(apdu) == (b"", word)
    assert card.state.content == before


@pytest.mark.attack("management", "another owner's slot touched", "6A88; nothing changes")
def test_another_owners_slot_cannot_be_touched(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    first, _ = two_owners(card)
    host = Host(card, first).open(SSD_1)
    before = card.state.content
    for apdu in (
        command("80E40000", b"\x4f" + lv(SLOT_2)),
        command("80F04080", SLOT_2),
        command("80E62000", b"\x00\x00" + lv(SLOT_2) + b"\x00\x00\x00"),
        command("80E40080", b"\x4f" + lv(SSD_2)),
    ):
        assert host.send(apdu) == (b"", "6A88")
    assert card.state.content == before
    host = Host(card, first)
    host.select(SLOT_2)
    host.initialize()
    assert sw(card.transmit(host.authentication(0x33))) == "6300"


# --- PUT KEY ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [128, 256])
@pytest.mark.parametrize("with_length", [True, False])
def test_the_public_keys_go_with_the_first_real_ones(soft_card: MakeCard, bits: int, with_length: bool) -> None:
    card = soft_card("adult")
    new = own_keys(bits)
    answer = issuer(card).ok(put_key(new, TRIAL, with_length=with_length))
    assert answer == b"\x30" + b"".join(check_value(one) for one in (new.enc, new.mac, new.dek))
    assert [one.version for one in card.state.content.issuer.keys] == [0x30]
    size = "10" if bits == 128 else "20"
    talk(card, f"80CA00E000 -> E012 C004013088{size} C004023088{size} C004033088{size} 9000")
    host = Host(card)
    assert sw(host.initialize(0xFF)) == "6A88"
    host.initialize()
    assert sw(card.transmit(host.authentication(0x33))) == "6300"
    Host(card, new).open(ISD, version=0x30)


def test_key_sets_stand_side_by_side_and_are_replaced_in_their_place(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    sets = [own_keys(seed=0x10 * n) for n in range(1, 7)]
    issuer(card).ok(put_key(sets[0], TRIAL, version=0x30))
    for n in (1, 2, 3):
        Host(card, sets[0]).open(ISD).ok(put_key(sets[n], sets[0].dek, version=0x30 + n))
    host = Host(card, sets[2]).open(ISD, version=0x32)
    assert host.send(put_key(sets[4], sets[2].dek, version=0x34)) == (b"", "6A84")
    assert host.send(put_key(sets[4], sets[2].dek, version=0x31)) == (b"", "6985")
    assert host.send(put_key(sets[4], sets[2].dek, version=0x31, replace=0x30)) == (b"", "6985")
    assert host.send(put_key(sets[4], sets[2].dek, version=0x35, replace=0x36)) == (b"", "6A88")
    host.ok(put_key(sets[4], sets[2].dek, version=0x35, replace=0x30))
    host.ok(put_key(sets[5], sets[2].dek, version=0x31, replace=0x31))
    assert [one.version for one in card.state.content.issuer.keys] == [0x35, 0x31, 0x32, 0x33]
    Host(card, sets[4]).open(ISD)  # version 00 is the first
    Host(card, sets[5]).open(ISD, version=0x31)


GOOD = put_key(own_keys(), TRIAL)


@pytest.mark.parametrize(
    ("apdu", "word"),
    [
        (GOOD[:3] + b"\x01" + GOOD[4:], "6A86"),
        (GOOD[:3] + b"\x80" + GOOD[4:], "6A86"),
        (GOOD[:4] + lv(GOOD[5:-1]), "6A80"),
        (GOOD[:4] + lv(GOOD[5:] + b"\x00"), "6A80"),
        (GOOD[:4] + lv(b"\x00" + GOOD[6:]), "6A80"),
        (GOOD[:4] + lv(b"\x80" + GOOD[6:]), "6A80"),
        (GOOD[:4] + lv(b"\xff" + GOOD[6:]), "6A80"),
        (GOOD[:4] + lv(GOOD[5:-1] + bytes([GOOD[-1] ^ 1])), "9485"),
        (GOOD[:4] + lv(GOOD[5:6] + b"\x80" + GOOD[7:]), "9484"),
        (GOOD[:4] + lv(GOOD[5:6]), "6A80"),
        (command("80D80081"), "6A80"),
        (put_key(Keys(bytes(16), bytes(16), bytes(32)), TRIAL), "6A80"),
        (put_key(Keys(bytes(16), bytes(32), bytes(32)), TRIAL), "6A80"),
        (put_key(own_keys(), bytes(16)), "9485"),  # under another key than the session's
    ],
    ids=shown,
)
def test_what_put_key_refuses(soft_card: MakeCard, apdu: bytes, word: str) -> None:
    card = soft_card("adult")
    host = issuer(card)
    before = card.state.content
    assert host.send(apdu) == (b"", word)
    assert card.state.content == before


def test_keys_of_192_bits_are_refused(soft_card: MakeCard) -> None:
    data = b"\x30"
    for _ in range(3):
        body = cbc(TRIAL, bytes(16), bytes(32))[:24]
        data += b"\x88" + lv(b"\x18" + body) + b"\x03\x00\x00\x00"
    assert issuer(soft_card("adult")).send(command("80D80081", data)) == (b"", "6A80")


# --- SET STATUS and DELETE --------------------------------------------------------------------------------------------


def test_a_locked_card_shows_nothing_of_the_free_area(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    first, _ = two_owners(card)
    issuer(card).ok(command("80F0807F"))
    for aid in (SSD_1, SSD_2, SLOT_1, SLOT_2):
        talk(card, f"00A4040C0E {aid.hex()} -> 6A82")
    talk(card, "00A4040006 F04B4F4A494E 00 -> 6A82", "00A4040C0A D392F000260100000001 -> 9000", "00200098 -> 63C3")
    host = issuer(card)
    assert host.ok("80F28000024F00").hex().upper() == "07A00000015100007F90"
    for apdu in (install_domain(), GOOD, command("80E40000", b"\x4f" + lv(SLOT_1)), command("80F04080", SLOT_1)):
        assert host.send(apdu) == (b"", "6985")
    host.ok(command("80F0800F", ISD))
    Host(card, first).open(SLOT_1)


def test_locking_and_unlocking(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    first, _ = two_owners(card)
    host = Host(card, first).open(SSD_1)
    host.ok(command("80F04080", SLOT_1))
    assert host.send(command("80E62000", b"\x00\x00" + lv(SLOT_1) + b"\x00\x00\x00")) == (b"", "6985")
    talk(card, f"00A4040C0E {SLOT_1.hex()} -> 6A82", f"00A4040006 F04B4F4A494E 00 -> 6F10840E {SLOT_2.hex()} 9000")
    assert issuer(card).ok("80F24002144F0E" + SLOT_1.hex() + "5C029F70").hex() == "e3049f700187"
    Host(card, first).open(SSD_1).ok(command("80F04000", SLOT_1))
    Host(card, first).open(SLOT_1)
    host = issuer(card)
    host.ok(command("80F04080", SSD_1))
    talk(card, f"00A4040C0E {SSD_1.hex()} -> 6A82", f"00A4040C0E {SLOT_1.hex()} -> 9000")
    assert Host(card, first).initialize().hex() == "6985"  # at its slot: the domain is locked
    host = issuer(card)
    host.ok(command("80F04000", SSD_1))
    host.ok(command("80F04080", SLOT_2))
    talk(card, f"00A4040C0E {SLOT_2.hex()} -> 6A82")
    Host(card, first).open(SSD_1)


@pytest.mark.parametrize(
    ("apdu", "word"),
    [
        (command("80F080FF"), "6985"),
        (command("80F08001"), "6985"),
        (command("80F0807F", SSD_1), "6A80"),
        (command("80F06080", SSD_1), "6A86"),
        (command("80F04080", ISD), "6985"),
        (command("80F04080", SSD_2), "6A88"),
        (command("80F04080"), "6A88"),
        (command("80E40100", b"\x4f" + lv(SSD_1)), "6A86"),
        (command("80E40001", b"\x4f" + lv(SSD_1)), "6A86"),
        (command("80E40000", b"\x4f" + lv(SSD_2)), "6A88"),
        (command("80E40000", b"\x4f" + lv(SSD_1)), "6985"),  # it has a slot
        (command("80E40080", b"\x4f" + lv(ISD)), "6985"),
        (command("80E40000", b"\x4f" + lv(bytes.fromhex("A0000001515350"))), "6985"),
        (command("80E40000", b"\x4f" + lv(bytes.fromhex("F04B4F4A4C4601"))), "6985"),
        (command("80E40000", bytes.fromhex("D20130")), "6A80"),  # a key alone
        (command("80E40000"), "6A80"),
        (command("80E40000", b"\x4f" + lv(SSD_1) + b"\x9e\x00"), "6A80"),
        (command("80E62000", b"\x00\x00" + lv(SLOT_1) + b"\x00\x00\x00"), "6982"),
        (command("80E29000", b"\x00"), "6982"),
        (command("80E64000", b"\x00\x00" + lv(SSD_1) + b"\x00\x00\x00"), "6A80"),
        (command("80E64000", b"\x00\x00" + lv(SSD_2) + b"\x00" + lv(QUOTA + b"\x00\x00\x10\x00") + b"\x00"), "6A88"),
        (command("80E64000", b"\x00\x00" + lv(SLOT_1) + b"\x00" + lv(QUOTA + b"\x00\x00\x10\x00") + b"\x00"), "6A88"),
    ],
    ids=shown,
)
def test_what_else_the_issuer_is_refused(soft_card: MakeCard, apdu: bytes, word: str) -> None:
    card = soft_card("adult")
    keys = made_domain(card)
    Host(card, keys).open(SSD_1).ok(install_slot())
    host = issuer(card)
    before = card.state.content
    assert host.send(apdu) == (b"", word)
    assert card.state.content == before


def test_deleting(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    first, _ = two_owners(card)
    host = Host(card, first).open(SSD_1)
    host.ok(install_slot(bytes.fromhex("F04B4F4A494E 0000000000000003")))
    assert host.ok(command("80E40000", b"\x4f" + lv(SLOT_1))) == b"\x00"
    talk(card, f"00A4040C0E {SLOT_1.hex()} -> 6A82")
    host = issuer(card)
    assert host.ok(command("80E40000", b"\x4f" + lv(SLOT_2))) == b"\x00"
    host.ok(command("80E40000", b"\x4f" + lv(SSD_2)))
    host.ok(command("80E40080", b"\x4f" + lv(SSD_1)))
    content = card.state.content
    assert (content.domains, content.slots) == ((), ())


# --- room -------------------------------------------------------------------------------------------------------------


def test_the_quota_of_an_owner_to_the_byte(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    keys = made_domain(card, quota=256 + 2 * 192)
    host = Host(card, keys).open(SSD_1)
    host.ok(install_slot(SLOT_1))
    host.ok(install_slot(SLOT_2))
    third = bytes.fromhex("F04B4F4A494E 0000000000000003")
    before = card.state.content
    assert host.send(install_slot(third)) == (b"", "6A84")
    assert card.state.content == before
    boss = issuer(card)

    def quota(size: int) -> bytes:
        return command("80E64000", b"\x00\x00" + lv(SSD_1) + b"\x00" + lv(QUOTA + size.to_bytes(4, "big")) + b"\x00")

    assert boss.send(quota(256 + 2 * 192 - 1)) == (b"", "6A84")  # less than it uses
    assert boss.send(quota(0x8001)) == (b"", "6A84")
    assert boss.ok(quota(256 + 3 * 192 - 1)) == b"\x00"
    assert Host(card, keys).open(SSD_1).send(install_slot(third)) == (b"", "6A84")
    issuer(card).ok(quota(256 + 3 * 192))
    host = Host(card, keys).open(SSD_1)
    host.ok(install_slot(third))
    host.ok(command("80E40000", b"\x4f" + lv(third)))
    host.ok(install_slot(third))  # what is deleted is free again


def test_the_room_of_the_whole_card_to_the_byte(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    host = issuer(card)
    for n in range(128):
        name = bytes.fromhex("F04B4F4A5344") + n.to_bytes(8, "big")
        host.ok(install_domain(name, owner(f"13{100 + n}") + QUOTA + (256).to_bytes(4, "big")))
    talk(card, "80CAFF2100 -> 6982", "00CAFF2100 -> 6982")
    assert host.ok("80CAFF2100").hex() == "ff210f810180820400000000830400000800"
    name = bytes.fromhex("F04B4F4A5344") + (128).to_bytes(8, "big")
    more = install_domain(name, owner("13999") + QUOTA + (256).to_bytes(4, "big"))
    assert host.send(more) == (b"", "6A84")
    host.ok(command("80E40000", b"\x4f" + lv(bytes.fromhex("F04B4F4A5344 0000000000000005"))))
    host.ok(more)


# --- the file ---------------------------------------------------------------------------------------------------------


def test_the_free_area_is_kept_in_the_card_file(soft_card: MakeCard, tmp_path: Any) -> None:
    card = soft_card("adult", scp03_s16=False)
    two_owners(card)
    Host(card).initialize()
    text = cardformat.dump(card.state)
    assert cardformat.load(text, SPEC, "x") == card.state
    path = tmp_path / "card.json"
    with SoftCard.create(path, card.state) as opened:
        Host(opened).open(ISD).ok(command("80E40080", b"\x4f" + lv(SSD_2)))
    with SoftCard.open(path) as again:
        content = again.state.content
        assert content is not None
        assert [one.aid for one in content.slots] == [SLOT_1]
        Host(again, own_keys(seed=0x01)).open(SSD_1)


def test_settings_of_the_session_are_kept_and_written_only_when_unusual(soft_card: MakeCard) -> None:
    usual = soft_card("adult").state
    assert b"scp03" not in cardformat.dump(usual)
    odd = replace(usual, knobs=Knobs(scp03_s16=True, scp03_pseudo_random=False))
    text = cardformat.dump(odd)
    assert b'"scp03_s16": true' in text
    assert b'"scp03_pseudo_random": false' in text
    assert cardformat.load(text, SPEC, "x") == odd
