"""A state machine of PIN counters and security state; its model is written from the facts, not from the specs.

card.md §2, §3, §4.3, §4.4, §4.10. The card under test lives in a card file: it can be killed between any two APDUs, and
comes back with every counter and every changed PIN as it was, and with the security state gone (ARCHITECTURE §8).
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kojin_card.simulator import SoftCard, make_card

COMMON = "D3921000310001010100"
TEXT = "D3921000310001010408"
JPKI = "D392F000260100000001"


@dataclass(frozen=True)
class Key:
    """A secret of the card, as the facts give it."""

    application: str
    fid: str
    p2: str
    tries: int
    first: str
    change: str
    opens: tuple[str, ...]
    signs: str | None = None
    lengths: tuple[int, int] = (4, 4)


#: card.md §2.1, §2.4, §2.6, §3, §4.3. ``opens``: READ BINARY by SFI that this key opens.
KEYS = {
    "auth": Key(JPKI, "0018", "98", 3, "1234", "00240180", (), "97"),
    "sign": Key(JPKI, "001B", "9B", 5, "ABC123", "00240180", ("00B0810003",), "9A", (6, 16)),
    "text": Key(TEXT, "0011", "91", 3, "5678", "00240180", ("00B0810003", "00B0820003", "00B0830003")),
    "juki": Key(COMMON, "001C", "9C", 3, "9012", "80320080", ()),
}
OK = bytes.fromhex("9000")


def keys_here(machine: PinMachine) -> st.SearchStrategy[str]:
    """The keys of the application that is selected."""
    return st.sampled_from(sorted(name for name, key in KEYS.items() if key.application == machine.current))


here = st.deferred(lambda: st.runner().flatmap(keys_here))
selected = precondition(lambda self: self.current is not None)


@cache
def new_card_file() -> bytes:
    """The bytes of a card file as delivered (made once: issuing certificates is slow)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "card.json"
        SoftCard.create(path, make_card("adult", now=datetime(2026, 4, 1, tzinfo=UTC))).close()
        return path.read_bytes()


class PinMachine(RuleBasedStateMachine):
    """Terminal and thief at once: selects, verifies, changes, signs, reads, pulls the card out, kills the process."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="kojin-pin-"))
        self.generation = 0
        path = self.path
        path.write_bytes(new_card_file())
        path.chmod(0o600)
        self.card = SoftCard.open(path)
        self.left = {name: key.tries for name, key in KEYS.items()}
        self.secret = {name: key.first for name, key in KEYS.items()}
        self.current: str | None = None
        self.verified: set[str] = set()
        #: Verified once, then told a wrong value: no fact says whether the status survives, so the card may do either.
        self.open_question: set[str] = set()

    @property
    def path(self) -> Path:
        return self.folder / f"card-{self.generation}.json"

    def teardown(self) -> None:
        self.card.close()
        shutil.rmtree(self.folder)

    def send(self, text: str) -> bytes:
        return self.card.transmit(bytes.fromhex(text))

    def forget(self) -> None:
        self.verified.clear()
        self.open_question.clear()

    def settle(self, name: str, allowed: bool) -> None:
        """Compare what a key opens with the model; an open question is answered by the card, once."""
        if name in self.open_question:
            self.open_question.discard(name)
            self.verified.add(name) if allowed else self.verified.discard(name)
        assert allowed == (name in self.verified), name

    # --- what a terminal can do ---------------------------------------------------------------------------------------

    @initialize()
    def start(self) -> None:
        assert self.send("00A4040C0A" + JPKI) == OK
        self.current = JPKI

    @rule(application=st.sampled_from([COMMON, TEXT, JPKI]))
    def select(self, application: str) -> None:
        assert self.send("00A4040C0A" + application) == OK
        self.current = application
        self.forget()  # card.md §4.10, §12

    @rule(fid=st.sampled_from(["0001", "0002", "0011", "0017", "0018", "001A", "001B", "001C"]))
    def select_file(self, fid: str) -> None:
        self.send("00A4020C02" + fid)  # whatever it answers: the status stays (card.md §4.10)

    def _verify(self, name: str, value: str, *, by_sfi: bool) -> bytes:
        key = KEYS[name]
        p2 = key.p2
        if not by_sfi:
            assert self.send("00A4020C02" + key.fid) == OK
            p2 = "80"
        return self.send(f"002000{p2}{len(value):02X}{value.encode('ascii').hex()}")

    @selected
    @rule(name=here, by_sfi=st.booleans())
    def verify_right(self, name: str, by_sfi: bool) -> None:
        answer = self._verify(name, self.secret[name], by_sfi=by_sfi)
        if not self.left[name]:
            assert answer.hex() == "6984"
            return
        assert answer == OK
        self.left[name] = KEYS[name].tries
        self.verified.add(name)
        self.open_question.discard(name)

    @selected
    @rule(name=here, by_sfi=st.booleans(), flip=st.integers(0, 15))
    def verify_wrong(self, name: str, by_sfi: bool, flip: int) -> None:
        right = self.secret[name]
        at = flip % len(right)
        wrong = right[:at] + ("1" if right[at] == "0" else "0") + right[at + 1 :]
        answer = self._verify(name, wrong, by_sfi=by_sfi)
        if not self.left[name]:
            assert answer.hex() == "6984"
            return
        self.left[name] -= 1
        assert answer.hex() == f"63c{self.left[name]:x}"
        if name in self.verified:
            self.verified.discard(name)
            self.open_question.add(name)

    @selected
    @rule(name=here, digits=st.text("0123456789", min_size=6, max_size=16))
    def change(self, name: str, digits: str) -> None:
        key = KEYS[name]
        low, high = key.lengths
        value = digits[:4] if high == 4 else ("A" + digits)[:high]
        assert low <= len(value) <= high
        assert self.send("00A4020C02" + key.fid) == OK
        answer = self.send(f"{key.change}{len(value):02X}{value.encode('ascii').hex()}")
        self.settle(name, answer == OK)
        if answer != OK:
            assert answer.hex() in ("6982", "6984")
            return
        self.secret[name] = value
        # Whether the old VERIFY still counts, and whether a counter below its maximum is restored, no fact says.
        self.verified.discard(name)
        self.open_question.add(name)
        tries = self.send(f"002000{key.p2}").hex()
        assert tries in (f"63c{self.left[name]:x}", f"63c{key.tries:x}")
        self.left[name] = int(tries[3], 16)

    @precondition(lambda self: self.current == JPKI)
    @rule(name=st.sampled_from(["auth", "sign"]))
    def sign(self, name: str) -> None:
        answer = self.send(f"802A00{KEYS[name].signs}0101" + "00")
        self.settle(name, answer[-2:] == OK)
        assert len(answer) == (258 if answer[-2:] == OK else 2)

    @precondition(lambda self: self.current in (JPKI, TEXT))
    @rule(which=st.integers(0, 2))
    def read(self, which: int) -> None:
        name = "sign" if self.current == JPKI else "text"
        key = KEYS[name]
        answer = self.send(key.opens[which % len(key.opens)])
        self.settle(name, answer[-2:] == OK)
        assert answer[-2:] == OK or answer.hex() == "6982"

    # --- losing power, losing the process -----------------------------------------------------------------------------

    @rule(how=st.sampled_from(["reset", "power_off"]))
    def unpower(self, how: str) -> None:
        self.card.reset() if how == "reset" else self.card.power_off()
        self.current = None
        self.forget()

    @rule()
    def kill_and_reopen(self) -> None:
        """What is on the disk at this moment is what a killed process leaves: open a copy of it."""
        before = self.path
        self.generation += 1
        shutil.copy(before, self.path)
        self.card.close()
        self.card = SoftCard.open(self.path)
        self.current = None
        self.forget()

    @precondition(lambda self: self.current is None)
    @rule(name=st.sampled_from(sorted(KEYS)))
    def nothing_is_selected_after_power_on(self, name: str) -> None:
        for command in ("00200080", f"002000{KEYS[name].p2}", "00B0000000", "802A00970100" + "00"):
            answer = self.send(command)
            assert answer[-2:] != OK
            assert answer[:1].hex() != "63"

    @invariant()
    def the_counters_are_those_of_the_model(self) -> None:
        for name, key in KEYS.items():
            assert 0 <= self.left[name] <= key.tries
            if self.current == key.application:
                # pcsc.md P2: always 63Cx, verified or blocked; card.md §4.3: costs nothing
                assert self.send(f"002000{key.p2}").hex() == f"63c{self.left[name]:x}"


TestPinMachine = PinMachine.TestCase
TestPinMachine.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
