"""SCP03 of the software card, from the host's side: whole sessions in hex, every option there is, and who would cheat.

The host is :mod:`gp_host`, written by hand from Amendment D with AES and CMAC alone. The sessions in hex were computed
with it, not with the card.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from kojin_card.simulator.management import scp03
from simulator.gp_host import (
    ISD,
    SLOT_1,
    SSD_1,
    SSD_2,
    TRIAL,
    Host,
    Keys,
    cbc,
    cmac,
    command,
    install_domain,
    install_slot,
    kdf,
    lv,
    made_domain,
    own_keys,
    pad,
    put_key,
    sw,
)
from support import talk

MakeCard = Callable[..., Any]
ISD_STATUS = bytes.fromhex("E3124F07A00000015100009F70010FC503905C00")
LEVELS = (0x01, 0x03, 0x11, 0x13, 0x33)
JPKI = "00A4040C0A D392F000260100000001 -> 9000"

#: RFC 4493 §4: key, then length of the message and MAC
RFC_4493 = [
    (0, "BB1D6929E95937287FA37D129B756746"),
    (16, "070A16B46B4D4144F79BDD9DD04A287C"),
    (40, "DFA66747DE9AE63030CA32611497C827"),
    (64, "51F0BEBF7E3B9D92FC49741779363CFE"),
]
RFC_MESSAGE = bytes.fromhex(
    "6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E51"
    "30C81C46A35CE411E5FBC1191A0A52EFF69F2445DF4F9B17AD2B417BE66C3710"
)


@pytest.mark.parametrize(("length", "mac"), RFC_4493)
def test_the_mac_is_that_of_rfc_4493(length: int, mac: str) -> None:
    key = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")
    assert scp03.cmac(key, RFC_MESSAGE[:length]).hex().upper() == mac


@pytest.mark.parametrize("size", [8, 16, 32])
def test_the_derivation_is_that_of_the_hand_written_host(size: int) -> None:
    assert scp03.derive(TRIAL, 0x06, b"context", size) == kdf(TRIAL, 0x06, b"context", 8 * size)


# --- whole sessions in hex --------------------------------------------------------------------------------------------


def test_a_session_of_level_33_with_macs_of_8_bytes(soft_card: MakeCard) -> None:
    talk(
        soft_card("adult"),
        "00A4040007 A0000001510000 00 -> 6F09 8407 A0000001510000 9000",
        # diversification data, FF 03 70, card challenge, card cryptogram, counter 1
        "8050000008 1011121314151617 00 -> 00004040279FC60AE8DB FF0370 28423B57D7AA1CA4 F72D9819BA20985F 000001 9000",
        "8482330010 DBBEC7F24D56C64E 09B18D8514F79BA0 -> 9000",
        # GET STATUS 80 02, 4F00
        "84F2800218 37B79CC8B7611610D509DE2E29D7C2A8 54CC1730952C6510 00"
        " -> FD36AC6BBF4CACF7374E7DA32C19D94D51E89E016E07D4C7266441CE6B91263D 1DA408B543101A2B 9000",
        # DELETE of a slot that is not there: an error has neither data nor MAC
        "84E4000028 D73F6423766353D51775A3823A9383464C285F40BFC517AC425FAC59E97734EA 49F5EC970718365A 00 -> 6A88",
        # GET DATA 00E0: no data, which is not enciphered but counts
        "84CA00E008 BD826FEB6DC8AE1E 00"
        " -> AF65109BE4F292B0C8CBB672EC3668959535C7D07A41173F3FB9221E465AEE26 877E6CEA08072081 9000",
    )


def test_a_session_of_level_33_with_macs_of_16_bytes(soft_card: MakeCard) -> None:
    talk(
        soft_card("adult", scp03_s16=True),
        "8050000010 101112131415161718191A1B1C1D1E1F 00 -> 00004040279FC60AE8DB FF0371"
        " C8BDD766626F32DC26159CF270AFFFAF 4A26B91E8317287B23FEF1C27D52EA45 000001 9000",
        "8482330020 BFB03E68BA9163264572C9A011076FE5 CC61A71380D12C0FC861C10BAB7E4086 -> 9000",
        "84F2800220 06A82A35386A758BDF5C606EE41B5BA9 FD72F0E917A8D21D3D24260EBB1293A9 00"
        " -> C4BDCF717AAB294C73B009EB71D35BF5860FFDFE6E59E101089984B20B42B878 695C93B095A030B11E27CFDF90804C46 9000",
    )


def test_a_session_of_level_01_protects_commands_only(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    talk(
        card,
        "8050FF0008 1011121314151617 00 -> .. 000001 9000",
        "8050000008 1011121314151617 00 -> .. FF0370 9A572C8AC4923986 8C5FED212B460EF8 000002 9000",
        "8482010010 A94CC4BE55D79517 D1A3BCC8BCDE51DD -> 9000",
        "84F280020A 4F00 A33384FC2A10F31F 00 -> E3124F07A00000015100009F70010FC503905C00 9000",
    )


# --- every option -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("s16", "pseudo", "level"), list(product((False, True), (False, True), LEVELS)))
@pytest.mark.parametrize("bits", [128, 256])
def test_every_option_at_every_level(soft_card: MakeCard, bits: int, s16: bool, pseudo: bool, level: int) -> None:
    card = soft_card("adult", scp03_s16=s16, scp03_pseudo_random=pseudo)
    size = 16 if s16 else 8
    keys = own_keys(bits)
    Host(card, size=size).open(ISD, level).ok(put_key(keys, TRIAL))
    host = Host(card, keys, size=size).open(ISD, level, version=0x30)
    assert host.begun[10:13] == bytes((0x30, 0x03, 0x60 | 0x10 * pseudo | 0x01 * s16))
    assert host.counter_told == (b"\x00\x00\x02" if pseudo else b"")
    if pseudo:
        assert host.card_challenge == kdf(keys.enc, 2, b"\x00\x00\x02" + ISD, 8 * size)
    for _ in range(3):
        assert host.ok("80F28002024F00") == ISD_STATUS
    assert host.ok("80CA00C1") == bytes.fromhex("C103") + (b"\x00\x00\x02" if pseudo else bytes(3))
    assert host.send("80F2800202FF00") == (b"", "6A80")
    assert host.ok("80F28002024F00") == ISD_STATUS


def test_extended_lengths_are_in_the_mac(soft_card: MakeCard) -> None:
    host = Host(soft_card("adult")).open(ISD)
    assert host.send("80F28002024F00", extended=True) == (ISD_STATUS, "9000")


def test_iso_commands_of_the_card_manager_work_in_a_session_too(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    clear = card.transmit(bytes.fromhex("00CA004500"))[:-2]
    host = Host(card).open(ISD)
    assert host.ok("00CA0045") == clear
    assert host.send("00CA0045", le=False) == (clear, "9000")
    answer = host.unwrapped(card.transmit(host.wrapped("00CA00F8", extended=True)))
    assert answer[1] == "9000"
    assert len(answer[0]) == 563
    assert host.send("00CA00F8") == (b"", "6700")
    assert host.send("00EE0000") == (b"", "6D00")


@pytest.mark.parametrize("size", [239, 240, 250])
def test_an_answer_that_does_not_fit_with_padding_and_mac(soft_card: MakeCard, size: int) -> None:
    """With Le as much as fits, as this card's GET DATA gives the start for a short Le; without one 6700."""
    card = soft_card("adult", scp03_s16=True)
    manager = card.state.applications["card_manager"]
    longer = replace(manager, objects={**manager.objects, "card_identification": bytes(size)})
    card.alter(lambda state: replace(state, applications={**state.applications, "card_manager": longer}))
    host = Host(card, size=16).open(ISD, 0x33)
    assert host.send("00CA0045") == (bytes(239), "9000")
    assert host.send("00CA0045", le=False) == ((bytes(239), "9000") if size == 239 else (b"", "6700"))


def test_padding_and_nothing_else_is_taken_for_no_data(soft_card: MakeCard) -> None:
    # yubikey-manager enciphers an empty data field
    host = Host(soft_card("adult")).open(ISD)
    host.counter += 1
    data = cbc(host.enc, host.iv(0), pad(b""))
    head = bytes.fromhex("04CA00E0") + bytes([len(data) + 8]) + data
    host.chain = cmac(host.mac, host.chain + head)
    data, word = host.unwrapped(host.card.transmit(head + host.chain[:8]))
    assert (data.hex().upper(), word) == ("C00401FF8810C00402FF8810C00403FF8810", "9000")


def test_the_challenge_is_a_new_one_each_time_also_after_power_loss(soft_card: MakeCard) -> None:
    # pcsc.md §8: real clients check the pseudo-random challenge when i has bit 10
    card = soft_card("adult")
    for number in range(1, 6):
        host = Host(card)
        host.initialize()
        assert host.counter_told == number.to_bytes(3, "big")
        assert host.card_challenge == kdf(TRIAL, 2, host.counter_told + ISD, 64)
        card.power_off()


def test_a_domain_counts_for_itself_and_its_slots(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    keys = made_domain(card)  # one session: to put the keys
    Host(card, keys).open(SSD_1).ok(install_slot())
    host = Host(card, keys).open(SLOT_1)
    assert host.counter_told == b"\x00\x00\x04"  # the issuer's had come to 1 when the domain was made
    assert host.card_challenge == kdf(keys.enc, 2, b"\x00\x00\x04" + SSD_1, 64)


def test_the_random_challenge_is_random_and_nothing_is_counted(soft_card: MakeCard) -> None:
    card = soft_card("adult", scp03_pseudo_random=False)
    before = card.state
    first, second = Host(card), Host(card)
    first.initialize()
    second.initialize()
    assert first.card_challenge != second.card_challenge
    assert card.state == before


# --- what is refused --------------------------------------------------------------------------------------------------


def test_what_the_handshake_refuses(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    talk(
        card,
        "8482010010 00000000000000000000000000000000 -> 6985",
        "8050000108 1011121314151617 00 -> 6A86",
        "8050000007 10111213141516 00 -> 6700",
        "8050000010 10111213141516171011121314151617 00 -> 6700",
        "8050300008 1011121314151617 00 -> 6A88",
        "8050FF0008 1011121314151617 00 -> .. 9000",
        "8482000010 00000000000000000000000000000000 -> 6A86",
        "8482020010 00000000000000000000000000000000 -> 6A86",
        "8482310010 00000000000000000000000000000000 -> 6A86",
        "8482010110 00000000000000000000000000000000 -> 6A86",
        "8482010008 0000000000000000 -> 6700",
        "8482010010 00000000000000000000000000000000 -> 6985",
        "84F280020A 4F000000000000000000 00 -> 6982",
        "04CA004508 0000000000000000 00 -> 6982",
        "80F2800202 4F00 00 -> 6982",
    )
    assert card.state.content.issuer.failures == 0


@pytest.mark.attack("management", "an SCP03 session goes on after SELECT or reset", "6982")
@pytest.mark.parametrize("ending", ["select", "reset", "power_off", "initialize", "elsewhere"])
def test_a_session_ends(soft_card: MakeCard, ending: str) -> None:
    card = soft_card("adult")
    host = Host(card).open(ISD)
    host.ok("80F28002024F00")
    if ending == "select":
        host.select(ISD)
    elif ending == "initialize":
        Host(card).initialize()
    elif ending == "elsewhere":
        talk(card, JPKI, "00A40400 07 A0000001510000 00 -> .. 9000")
    else:
        getattr(card, ending)()
    assert host.send("80F28002024F00") == (b"", "6982")


@pytest.mark.parametrize("level", LEVELS)
def test_a_command_in_clear_has_no_role_in_a_session_and_does_not_end_it(soft_card: MakeCard, level: int) -> None:
    card = soft_card("adult")
    host = Host(card).open(ISD, level)
    talk(
        card,
        "80F2800202 4F00 00 -> 6982",
        "80CA00E000 -> E0.. 9000",
        "80E400000F 4F0D 00000000000000000000000000 -> 6982",
    )
    assert host.ok("80F28002024F00") == ISD_STATUS


@pytest.mark.attack("management", "a command of an SCP03 session again", "6982, and the session is over")
def test_a_replayed_command_ends_the_session(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    host = Host(card).open(ISD)
    first = host.wrapped("80F28002024F00")
    assert sw(card.transmit(first)) == "9000"
    assert card.transmit(first).hex() == "6982"
    assert host.send("80F28002024F00") == (b"", "6982")


@pytest.mark.attack("management", "commands of an SCP03 session in another order", "6982, and the session is over")
def test_commands_in_another_order_end_the_session(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    host = Host(card).open(ISD)
    first, second = host.wrapped("80F28002024F00"), host.wrapped("80F22002024F00")
    assert card.transmit(second).hex() == "6982"
    assert card.transmit(first).hex() == "6982"


@pytest.mark.attack("management", "one bit of a protected command is another", "6982, and the session is over")
def test_every_bit_of_a_protected_command_is_under_the_mac(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    length = len(Host(card).open(ISD, 0x33).wrapped("80F28002024F00", le=False))
    for at in (2, 3, *range(5, length)):
        host = Host(card).open(ISD, 0x33)
        forged = bytearray(host.wrapped("80F28002024F00", le=False))
        forged[at] ^= 0x01
        assert card.transmit(bytes(forged)).hex() == "6982", at
        assert host.send("80F28002024F00")[1] == "6982"
    # the instruction: DELETE for GET STATUS; the class: 04 for 84
    for at, octet in ((1, 0xE4), (0, 0x04)):
        host = Host(card).open(ISD, 0x33)
        forged = bytearray(host.wrapped("80F28002024F00", le=False))
        forged[at] = octet
        assert card.transmit(bytes(forged)).hex() == "6982"


@pytest.mark.attack("management", "garbage in an SCP03 session", "6982, and the session is over")
@pytest.mark.parametrize(
    "garbage", ["84F28002", "84F2800207 00000000000000", "84F2800208 0000000000000000", "8450000000"]
)
def test_garbage_ends_the_session(soft_card: MakeCard, garbage: str) -> None:
    card = soft_card("adult")
    host = Host(card).open(ISD)
    assert card.transmit(bytes.fromhex(garbage)).hex() == "6982"
    assert host.send("80F28002024F00") == (b"", "6982")


@pytest.mark.attack("management", "wrong padding under a right MAC", "6982, and the session is over")
@pytest.mark.parametrize("clear", [bytes(16), b"\x4f" * 16, b"\x80" + bytes(31), bytes(15)])
def test_wrong_padding_ends_the_session(soft_card: MakeCard, clear: bytes) -> None:
    host = Host(soft_card("adult")).open(ISD, 0x03)
    host.counter += 1
    data = cbc(host.enc, host.iv(0), clear) if len(clear) % 16 == 0 else clear
    head = bytes.fromhex("84F28002") + bytes([len(data) + 8]) + data
    host.chain = cmac(host.mac, host.chain + head)
    assert host.card.transmit(head + host.chain[:8]).hex() == "6982"
    assert host.send("80F28002024F00") == (b"", "6982")


def test_a_handshake_inside_a_session_is_refused_and_the_session_stays(soft_card: MakeCard) -> None:
    host = Host(soft_card("adult")).open(ISD)
    assert host.send("80500000081011121314151617") == (b"", "6985")
    assert host.ok("80F28002024F00") == ISD_STATUS


@pytest.mark.attack("management", "a recorded EXTERNAL AUTHENTICATE", "6300")
def test_a_recorded_authentication_does_not_open_another_session(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    host = Host(card)
    host.initialize()
    recorded = host.authentication(0x33)
    assert card.transmit(recorded).hex() == "9000"
    assert card.transmit(recorded).hex() == "6985"
    Host(card).initialize()  # the same host challenge; the card's is another
    assert card.transmit(recorded).hex() == "6300"


@pytest.mark.attack("management", "a recorded session, when the domain was deleted and made anew", "6300")
def test_a_domain_that_is_made_anew_counts_on(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    Host(card).open(ISD).ok(install_domain())
    host = Host(card)
    for _ in range(5):
        host.select(SSD_1)
        host.initialize()
    recorded, challenge = host.authentication(0x33), host.card_challenge
    assert card.transmit(recorded).hex() == "9000"
    Host(card).open(ISD).ok(command("80E40000", b"\x4f" + lv(SSD_1)))
    Host(card).open(ISD).ok(install_domain())
    for _ in range(8):
        again = Host(card)
        again.select(SSD_1)
        again.initialize()
        assert again.card_challenge != challenge
    assert card.transmit(recorded).hex() == "6300"


@pytest.mark.attack("management", "the level of a session lowered on the way", "6982")
def test_the_level_is_under_the_mac(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    host = Host(card)
    host.initialize()
    forged = bytearray(host.authentication(0x33))
    forged[2] = 0x01
    assert card.transmit(bytes(forged)).hex() == "6982"
    assert host.send("80F28002024F00") == (b"", "6982")
    assert card.state.content.issuer.failures == 0  # the cryptogram was right


@pytest.mark.attack("management", "the keys of another owner's domain", "another card cryptogram; 6300")
def test_the_keys_of_another_domain_do_not_open_it(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    first = made_domain(card, SSD_1, "13101", own_keys(seed=0x01))
    made_domain(card, SSD_2, "13102", own_keys(seed=0x81))
    host = Host(card, first)
    host.select(SSD_2)
    host.initialize()
    assert host.card_cryptogram != host.cryptogram(0)
    assert card.transmit(host.authentication(0x33)).hex() == "6300"
    for keys in (first, Keys()):  # nor do the issuer's, once the owner has its own
        host = Host(card, keys)
        host.initialize()
        assert sw(card.transmit(host.authentication(0x01))) == "6300"


# --- the velocity check -----------------------------------------------------------------------------------------------


def wrong(card: Any, aid: bytes = ISD) -> None:
    host = Host(card, Keys(b"\x00" * 16, b"\x00" * 16, b"\x00" * 16))
    host.select(aid)
    assert sw(host.initialize()) == "9000"
    assert card.transmit(host.authentication(0x33)).hex() == "6300"


@pytest.mark.attack("management", "guessing host cryptograms", "6985, for longer each time, also after power loss")
def test_wrong_cryptograms_make_the_domain_wait(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    for number, waits in enumerate((0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 256), 1):
        wrong(card)
        assert card.state.content.issuer.failures == number
        for _ in range(waits):
            card.power_off()
            assert Host(card).initialize().hex() == "6985"
    Host(card).open(ISD)
    assert (card.state.content.issuer.failures, card.state.content.issuer.waiting) == (0, 0)
    wrong(card)
    Host(card).open(ISD)


def test_one_domain_waits_and_another_does_not(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    keys = made_domain(card)
    for _ in range(3):
        wrong(card, SSD_1)
    Host(card).open(ISD)
    host = Host(card, keys)
    host.select(SSD_1)
    assert host.initialize().hex() == "6985"
    host.open(SSD_1)


def test_a_slot_waits_with_its_domain(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    keys = made_domain(card)
    Host(card, keys).open(SSD_1).ok(install_slot())
    for _ in range(3):
        wrong(card, SLOT_1)
    host = Host(card, keys)
    host.select(SSD_1)
    assert host.initialize().hex() == "6985"
    host.open(SLOT_1)
