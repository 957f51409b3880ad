"""Clients of GlobalPlatform that nobody here wrote: Yubico's SCP03 and Py-GP (pcsc.md §8), on our card; then ours.

SCP03 and the registry of the card are written here, and so is their client: these say that both are the standard's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from interop.clients import NEEDED_TO_BUILD, command
from interop.pcscd import NAME, NEEDED, PATIENCE, CannotStart, Desk, served
from interop.test_bindings import NOT_BUILT
from kojin_card.simulator import CardState, SoftCard, make_card
from support import ROOT

CONVERSATIONS = ROOT / "fixtures" / "scp03"
READER, OTHER_READER = f"{NAME} 00 00", f"{NAME} 00 01"
ISD = "A0000001510000"
#: GP §11.3.3.1: three AES keys of 16 bytes, version FF
FACTORY_KEYS = "E012C00401FF8810C00402FF8810C00403FF8810"
SSD_PACKAGE, SSD_MODULE = "A0000001515350", "A000000151535041"
SLOT_PACKAGE, SLOT_MODULE = "F04B4F4A4C4601", "F04B4F4A4D4401"
DOMAIN, SLOT = "F04B4F4A53440102030405060708", "F04B4F4A494E1112131415161718"
OWNER = "DF7106013133313031"  # municipality 13101


@pytest.fixture(scope="module")
def content_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Two cards of these tests' own: what they install and lock is nobody else's."""
    folder, issued = tmp_path_factory.mktemp("content"), datetime.now(UTC) - timedelta(hours=1)
    paths = [folder / f"{persona}.json" for persona in ("adult", "sapporo")]
    for path in paths:
        SoftCard.create(path, make_card(path.stem, now=issued)).close()
    try:
        with served(*paths) as desk:
            yield desk
    except CannotStart as why:
        pytest.skip(f"FOREIGN CLIENTS ABSENT: no pcscd of our own ({why}), no foreign program used the software card")


# --- yubikey-manager --------------------------------------------------------------------------------------------------


def check_yubikit(told: dict[str, Any]) -> None:
    """What yubikit read at level 33, and what it was refused."""
    factory = {f"{number:02X}FF": {"88": 16} for number in (1, 2, 3)}
    assert told["in clear"] == told["in the session"] == factory
    assert told["whole"] == FACTORY_KEYS
    assert told["recognition"].startswith(
        "06072A864886FC6B01"
    )  # card.md §2.5: card recognition data, GlobalPlatform's OID
    assert told["nothing there"] == "6A88"
    assert told["registry"].startswith(f"E3124F07{ISD}9F70010FC503")
    # it compares the check values of the answer itself; a second session opens with the new keys
    assert told["put"] == "9000"
    assert told["with the new keys"] == {f"{number:02X}01": {"88": 16} for number in (1, 2, 3)}
    assert told["after SELECT"] in ("6982", "6985")
    assert told["wrong keys"] == "Incorrect SCP parameters"


@pytest.mark.foreign(*NEEDED_TO_BUILD)
@pytest.mark.parametrize("challenge", ["random", "pseudo"])
def test_yubikit_computes_the_typed_bytes(challenge: str) -> None:
    """``fixtures/scp03`` was computed with OpenSSL: a third party says that the formulas are right."""
    path = CONVERSATIONS / f"s8_aes128_{challenge}_33.toml"
    words = [*command("ykman", "ykman_conversation.py"), str(path)]
    said = subprocess.run(words, capture_output=True, text=True, check=True, env={}, timeout=PATIENCE)
    assert json.loads(said.stdout) == [[True, True]] * len(tomllib.loads(path.read_text("utf-8"))["step"][1:])


@pytest.mark.foreign(*NEEDED_TO_BUILD)
@pytest.mark.parametrize("pseudo_random", [True, False])
def test_yubikit_opens_a_session_in_this_process(
    card_state: Callable[[str], CardState], *, pseudo_random: bool
) -> None:
    """Without PC/SC between: its commands come through a pipe, and the answers go back."""
    state = card_state("adult")
    card = SoftCard.in_memory(replace(state, knobs=replace(state.knobs, scp03_pseudo_random=pseudo_random)))
    words = [*command("ykman", "ykman_scp03.py"), "-"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={}) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        told = None
        for line in program.stdout:
            kind, content = line.split(" ", 1)
            if kind == "=":
                told = json.loads(content)
                break
            program.stdin.write(card.transmit(bytes.fromhex(content)).hex() + "\n")
            program.stdin.flush()
    assert told is not None
    check_yubikit(told)


@pytest.mark.foreign(*NEEDED, *NEEDED_TO_BUILD)
def test_yubikit_opens_a_session_over_pcscd(content_desk: Desk) -> None:
    said = content_desk.run(*command("ykman", "ykman_scp03.py"), OTHER_READER)
    assert said.returncode == 0, said.stderr
    check_yubikit(json.loads(said.stdout.removeprefix("= ")))


# --- Py-GP ------------------------------------------------------------------------------------------------------------


def pygp(desk: Desk, *steps: str) -> tuple[list[Any], str]:
    """What each step gave, and what Py-GP logged."""
    said = desk.run(*command("pygp", "pygp_contents.py"), READER, *steps)
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout), said.stderr


@pytest.mark.foreign(*NEEDED, *NEEDED_TO_BUILD)
def test_pygp_takes_an_empty_registry_for_an_error(content_desk: Desk) -> None:
    """GET STATUS finds no application: 6A88, as GlobalPlatform has it, and Py-GP's ``ls`` gives up (pcsc.md §8)."""
    (opened, keys, listed), log = pygp(content_desk, "auth:00", "keys", "ls")
    assert (opened, keys) == (None, None)
    for number in ("01", "02", "03"):
        assert f"Key identifier: {number},  Key version number: FF,  Key length: 16 bytes,  KeyType: AES" in log
    assert listed["status"] == "6A88"


@pytest.mark.foreign(*NEEDED, *NEEDED_TO_BUILD)
def test_pygp_finds_scp03_and_no_scp02(content_desk: Desk) -> None:
    """At both kinds of card challenge; SCP02 this card does not have, and says so by what it answers."""
    (refused,), _ = pygp(content_desk, "auth:00:02")
    assert refused["error"]
    for value in ("off", "on"):
        content_desk.set(1, knobs=(f"scp03_pseudo_random={value}",))
        assert pygp(content_desk, "auth:00:03")[0] == [None]


@pytest.mark.foreign(*NEEDED, *NEEDED_TO_BUILD)
def test_pygp_installs_a_domain_and_a_slot_and_lists_them(content_desk: Desk) -> None:
    """A whole life at level 03: the issuer's session makes a domain, its owner puts keys and installs a slot."""
    made, _ = pygp(
        content_desk,
        "auth:00",
        f"install:{SSD_PACKAGE}:{SSD_MODULE}:{DOMAIN}:SD:{OWNER}",
        f"select:{DOMAIN}",
        "auth:00",
        "put:01",
        f"select:{DOMAIN}",
        "auth:01",
        f"install:{SLOT_PACKAGE}:{SLOT_MODULE}:{SLOT}::",
    )
    assert made == [None] * 8
    (opened, listed, *_), log = pygp(content_desk, "auth:00", "ls")
    assert (opened, listed) == (None, None)
    lines = [line.strip() for line in log.splitlines()]
    assert any(line.startswith(f"Card Manager AID : {ISD} (SECURED) (SD") for line in lines), log
    assert any(line.startswith(f"Application AID : {DOMAIN} (PERSONALIZED) (SD") for line in lines), log
    assert f"Application AID : {SLOT} (SELECTABLE) ()" in lines
    for package, module in ((SSD_PACKAGE, SSD_MODULE), (SLOT_PACKAGE, SLOT_MODULE)):
        at = lines.index(f"Load file AID : {package} (LOADED)")
        assert lines[at + 1] == f"Module AID : {module}"
    # the owner's session with the keys that everybody has: they are not its keys any more
    (_, refused), _ = pygp(content_desk, f"select:{DOMAIN}", "auth:00")
    assert "cryptogram" in refused["error"].lower()
    gone, _ = pygp(
        content_desk, f"select:{DOMAIN}", "auth:01", f"delete:{SLOT}", "isd", "auth:00", f"delete:{DOMAIN}", "ls"
    )
    assert gone[:-1] == [None] * 6
    assert gone[-1]["status"] == "6A88"


# --- ours -------------------------------------------------------------------------------------------------------------


@pytest.mark.foreign(*NEEDED)
@pytest.mark.skipif(find_spec("smartcard") is None, reason=NOT_BUILT.format("pyscard"))
def test_our_client_does_the_same_over_pcscd(content_desk: Desk) -> None:
    said = content_desk.run(sys.executable, Path(__file__).with_name("content_both_ends.py"), READER)
    assert said.returncode == 0, said.stderr
    told = json.loads(said.stdout)
    assert told["without allow_unproven"] == "UnprovenRefused"
    assert told["keys"] == {"issuer": [255] * 3, "domain": [1] * 3}
    assert told["slots"] == [told["slot"]]
    assert told["state"] == 0x0F
    assert told["after"] == {"domains": 0, "slots": 0}


@pytest.mark.foreign(*NEEDED, *NEEDED_TO_BUILD)
@pytest.mark.skipif(find_spec("smartcard") is None, reason=NOT_BUILT.format("pyscard"))
def test_a_slot_is_issued_and_read_over_pcscd_and_pygp_sees_it(content_desk: Desk) -> None:
    """Three programs of ours with three keys; then somebody else's client looks at what they left, and deletes it."""
    said = content_desk.run(sys.executable, Path(__file__).with_name("slot_desks.py"), READER)
    assert said.returncode == 0, said.stderr
    told = json.loads(said.stdout)
    assert told["walked"] == [told["slot"]]
    assert (told["verdict"], told["values"]) == ("TOTAL_PASSED", True)
    assert told["suspended"] == ["TOTAL_FAILED", []]
    (opened, listed, _), log = pygp(content_desk, "auth:00", "ls", "isd")
    assert (opened, listed) == (None, None)
    lines = [line.strip() for line in log.splitlines()]
    assert any(line.startswith(f"Application AID : {told['domain']} (PERSONALIZED) (SD") for line in lines), log
    assert f"Application AID : {told['slot']} (SELECTABLE) ()" in lines
    gone, _ = pygp(content_desk, "auth:00", f"delete:{told['slot']}", f"delete:{told['domain']}", "ls")
    assert gone[:-1] == [None] * 3
    assert gone[-1]["status"] == "6A88"
