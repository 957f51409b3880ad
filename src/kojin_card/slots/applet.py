"""The slot applet from outside: its commands, one at a time, as ``applets_spec/free_area/slot_applet.toml`` has them.

Commands go over the card's link in clear, or through a session of the owner (SCP03); both have the same ``send``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kojin_card.channel.secrets import ask, checked_copy, names_of, refuse_same
from kojin_card.errors import (
    DecodeError,
    NoSlot,
    NotOnCard,
    PinBlocked,
    PinReserve,
    TerminalExpired,
    TerminalRefused,
    UnexpectedAnswer,
)
from kojin_card.iso7816 import tlv
from kojin_card.iso7816.apdu import SHORT_LE_MAX, CommandApdu, ResponseApdu
from kojin_card.iso7816.status import SW, tries_left
from kojin_card.spec import bcd
from kojin_card.spec.free_area import slot_applet_spec
from kojin_card.spec.manifest import FILE_MOST, SIGNATURE_BYTES, decode_file
from kojin_card.spec.model import KeyKind, KeySpec, SecretFormat
from kojin_card.transport.answers import raise_for_sw

if TYPE_CHECKING:
    from datetime import date

    from kojin_card.channel import CardChannel, PinArgument
    from kojin_card.secret import Secret
    from kojin_card.spec.manifest import SignedManifest

APPLICATION = "slot"
_FCI, _DF_NAME = b"\x6f", b"\x84"
_AID, _DEFINITION, _COUNTER, _STATE, _NEWEST, _SIGNATURE = (
    bytes((octet,)) for octet in (0x84, 0x80, 0x82, 0x83, 0x87, 0x9E)
)
_WITH_SFI = 0x80
#: bytes of a READ BINARY through a session: what is left of 256 after MAC and padding, at least
_CHUNK = 200
_NONE_SEEN = bytes(4)
#: what a slot says of a file or a field that this reader may not have now
CLOSED = frozenset({SW.SECURITY_NOT_SATISFIED, SW.CONDITIONS_NOT_SATISFIED})


class Sender(Protocol):
    """What carries commands: :class:`~kojin_card.transport.link.Link`, or a session of SCP03."""

    def send(
        self, command: CommandApdu, *, operation: str, private: bool = True, private_data: bool = False
    ) -> ResponseApdu:
        """Send one command; its status word is the caller's to judge."""
        ...


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """What the card itself says, unsigned.

    Attributes:
        counter: its own. state: byte of the state. newest: newest date seen; None: none yet.
    """

    counter: int
    state: int
    newest: date | None


def slot_pin_spec() -> KeySpec:
    """The slot PIN in the form in which other secrets of the card are described."""
    spec = slot_applet_spec()
    length, verify = spec.number("pin_length"), spec.commands["verify"]
    return KeySpec(
        id="slot_pin",
        file_id=bytes((0, verify.p2 or 0)),
        kind=KeyKind.PIN,
        name_en="Slot PIN",
        name_ja="スロット暗証番号",
        evidence=spec.evidence,
        secret="slot-pin",
        format=SecretFormat("digits", length, length),
    )


def select(channel: CardChannel, aid: bytes, operation: str) -> bool:
    """Make a slot current; gives whether it is terminated.

    Raises:
        NoSlot: not there, or locked. UnexpectedAnswer: another word, or another slot.
    """
    channel.forget()
    answer = channel.link.send(command("select", aid, le=SHORT_LE_MAX), operation=operation)
    if answer.sw == SW.FILE_NOT_FOUND:
        raise NoSlot("", operation=operation, sw=answer.sw, slot=aid.hex().upper())
    if answer.sw != SW.DF_TERMINATED:
        raise_for_sw(operation, answer.sw)
    if answer.data and name_in(answer.data) != aid:
        raise UnexpectedAnswer("another slot than the one that was asked for", operation=operation, sw=answer.sw)
    return answer.sw == SW.DF_TERMINATED


def name_in(fci: bytes) -> bytes | None:
    """The AID in the answer of SELECT; None when there is none."""
    try:
        whole = tlv.read_one(fci)
        inner = list(tlv.read_all(whole.value)) if whole.tag == _FCI else []
    except tlv.TlvError:
        return None
    return next((one.value for one in inner if one.tag == _DF_NAME), None)


def command(
    name: str, data: bytes = b"", *, p1: int = 0, p2: int = 0, le: int | None = None, sensitive: bool = False
) -> CommandApdu:
    """A command of the applet by its id in the spec; P1 and P2 where the spec leaves them open."""
    spec = slot_applet_spec().commands[name]
    first, second = (given if fixed is None else fixed for fixed, given in ((spec.p1, p1), (spec.p2, p2)))
    return CommandApdu(spec.cla, spec.ins, first, second, data, le, sensitive)


class SlotApplet:
    """The commands, at the slot that is current.

    Args:
        sender: the card's link, or a session of the owner with this slot.
        aid: of the slot.
    """

    def __init__(self, sender: Sender, aid: bytes) -> None:
        self._sender = sender
        self.aid = aid

    # --- data -------------------------------------------------------------------------------------------------------

    def get(self, name: str, operation: str) -> bytes:
        """The value of a data object by its id in the spec.

        Raises:
            AccessDenied, NotOnCard, UnexpectedAnswer: by status word.
        """
        tag = slot_applet_spec().tag(name)
        answer = self._sender.send(command("get_data", p1=tag[0], p2=tag[1], le=SHORT_LE_MAX), operation=operation)
        raise_for_sw(operation, answer.sw)
        return answer.data

    def definition(self, operation: str) -> int:
        """The version of the applet's definition, from the descriptor's free part.

        Raises:
            UnexpectedAnswer: malformed, or of another slot.
        """
        parts = _objects(self.get("descriptor", operation), (_AID, _DEFINITION), operation)
        if parts[0] != self.aid or len(parts[1]) != 1:
            raise UnexpectedAnswer("malformed content: descriptor", operation=operation, sw=SW.OK)
        return parts[1][0]

    def status(self, operation: str) -> SlotStatus:
        """Counter, state and newest date.

        Raises:
            UnexpectedAnswer: malformed. Others as :meth:`get`.
        """
        counter, state, newest = _objects(self.get("status", operation), (_COUNTER, _STATE, _NEWEST), operation)
        if len(counter) != 4 or len(state) != 1:
            raise UnexpectedAnswer("malformed content: status", operation=operation, sw=SW.OK)
        try:
            seen = None if newest == _NONE_SEEN else bcd.decode_date(newest)
        except DecodeError:
            raise UnexpectedAnswer("malformed content: status", operation=operation, sw=SW.OK) from None
        return SlotStatus(int.from_bytes(counter, "big"), state[0], seen)

    def read(self, sfi: int, operation: str, *, most: int = SHORT_LE_MAX) -> bytes | int:
        """A file; the status word when the slot does not give it (closed or not there)."""
        data = bytearray()
        while len(data) <= most:
            at = len(data)
            places = (_WITH_SFI | sfi, at) if at <= 0xFF else (at >> 8, at & 0xFF)
            answer = self._sender.send(
                command("read_binary", p1=places[0], p2=places[1], le=SHORT_LE_MAX), operation=operation
            )
            if answer.sw == SW.OFFSET_PAST_END and data:
                break
            if not data and (answer.sw in CLOSED or answer.sw == SW.FILE_NOT_FOUND):
                return answer.sw
            raise_for_sw(operation, answer.sw)
            data += answer.data
            if len(answer.data) < _CHUNK:
                break
        return bytes(data[:most])

    def manifest(self, operation: str) -> SignedManifest | int:
        """The signed manifest; the status word when the slot does not give it.

        Raises:
            DecodeError: malformed.
        """
        found = self.read(slot_applet_spec().number("manifest_file"), operation, most=FILE_MOST)
        return found if isinstance(found, int) else decode_file(found)

    # --- proofs -----------------------------------------------------------------------------------------------------

    def challenge(self, operation: str) -> bytes:
        """A challenge of the card, for the terminal's proof.

        Raises:
            UnexpectedAnswer: another word or length.
        """
        size = slot_applet_spec().number("challenge")
        answer = self._sender.send(command("get_challenge", le=size), operation=operation)
        raise_for_sw(operation, answer.sw)
        if len(answer.data) != size:
            raise UnexpectedAnswer("a challenge of another length", operation=operation, sw=answer.sw)
        return answer.data

    def authenticate_terminal(self, data: bytes, operation: str) -> None:
        """EXTERNAL AUTHENTICATE with certificate and proof.

        Raises:
            TerminalExpired: 6984. TerminalRefused: 6982. UnexpectedAnswer: another word.
        """
        sw = self._sender.send(command("external_authenticate", data), operation=operation).sw
        kinds: dict[int, type[TerminalRefused]] = {
            SW.REFERENCE_DATA_BLOCKED: TerminalExpired,
            SW.SECURITY_NOT_SATISFIED: TerminalRefused,
        }
        if sw in kinds:
            raise kinds[sw]("", operation=operation, sw=sw)
        raise_for_sw(operation, sw)

    def answer_of_card(self, challenge: bytes, operation: str) -> tuple[int, bytes] | int:
        """INTERNAL AUTHENTICATE: the card's counter and its signature; the status word when it refuses."""
        answer = self._sender.send(
            command("internal_authenticate", challenge, le=SHORT_LE_MAX), operation=operation, private_data=True
        )
        if not answer.ok:
            return answer.sw
        counter, signature = _objects(answer.data, (_COUNTER, _SIGNATURE), operation)
        if len(counter) != 4 or len(signature) != SIGNATURE_BYTES:
            raise UnexpectedAnswer("malformed content: answer of the card key", operation=operation, sw=answer.sw)
        return int.from_bytes(counter, "big"), signature

    # --- the slot PIN -----------------------------------------------------------------------------------------------

    def tries(self, operation: str) -> int | None:
        """Tries left, which costs none; None: the slot has no PIN."""
        sw = self._sender.send(command("verify"), operation=operation).sw
        left = tries_left(sw)
        if left is not None:
            return left
        if sw == SW.AUTH_METHOD_BLOCKED:
            return 0
        if sw == SW.REFERENCE_NOT_FOUND:
            return None
        raise_for_sw(operation, sw)
        raise UnexpectedAnswer("", operation=operation, sw=sw)

    def verify(self, pin: PinArgument, operation: str, *, reserve: int = 1, lang: str = "ja") -> None:
        """Show the slot PIN: form first, then the counter, then the PIN, once.

        Raises:
            SecretFormatError, PinRejected, PinBlocked, PinReserve: as :meth:`CardChannel.verify`.
            NotOnCard: the slot has no PIN.
        """
        spec = slot_pin_spec()
        given = checked_copy(pin, spec, operation)
        try:
            left = self._guarded(operation, reserve)
            if given is None:
                given = ask(pin, spec, operation, name=spec.secret, label=_label(spec, lang), tries_left=left)
            sent = command("verify", given.reveal(), sensitive=True)
            raise_for_sw(operation, self._sender.send(sent, operation=operation).sw, **names_of(APPLICATION, spec))
        finally:
            if given is not None:
                given.wipe()

    def change(self, old: PinArgument, new: PinArgument, operation: str, *, reserve: int = 1, lang: str = "ja") -> None:
        """CHANGE REFERENCE DATA, by the holder. Raises: as :meth:`verify`."""
        spec = slot_pin_spec()
        now: Secret | None = None
        then: Secret | None = None
        try:
            now, then = (checked_copy(one, spec, operation) for one in (old, new))
            left = self._guarded(operation, reserve)
            if now is None:
                now = ask(old, spec, operation, name=spec.secret, label=_label(spec, lang), tries_left=left)
            if then is None:
                then = ask(new, spec, operation, name=f"new-{spec.secret}", label=_label(spec, lang), tries_left=None)
            refuse_same(now, then, spec, operation)
            sent = command("change_reference_data", now.reveal() + then.reveal(), sensitive=True)
            raise_for_sw(operation, self._sender.send(sent, operation=operation).sw, **names_of(APPLICATION, spec))
        finally:
            for secret in (now, then):
                if secret is not None:
                    secret.wipe()

    def reset_pin(self, new: Secret, operation: str) -> None:
        """RESET RETRY COUNTER, by the owner in its session.

        Raises:
            SecretFormatError: not the form; nothing was sent. NotOnCard: the slot has no PIN.
        """
        copy = checked_copy(new, slot_pin_spec(), operation)
        if copy is None:
            raise UnexpectedAnswer("a PIN is a Secret", operation=operation, sw=SW.OK)
        with copy:
            sent = command("reset_retry_counter", copy.reveal(), sensitive=True)
            sw = self._sender.send(sent, operation=operation).sw
            if sw == SW.REFERENCE_NOT_FOUND:
                raise NotOnCard("the slot has no PIN", operation=operation, sw=sw)
            raise_for_sw(operation, sw)

    def _guarded(self, operation: str, reserve: int) -> int:
        """The tries left, when one may be spent."""
        spec, left = slot_pin_spec(), self.tries(operation)
        if left is None:
            raise NotOnCard("the slot has no PIN", operation=operation, sw=SW.REFERENCE_NOT_FOUND)
        if left == 0:
            raise PinBlocked("", operation=operation, sw=SW.AUTH_METHOD_BLOCKED, **names_of(APPLICATION, spec))
        if left <= reserve:
            raise PinReserve(operation=operation, tries_left=left, reserve=reserve, **names_of(APPLICATION, spec))
        return left


def _label(spec: KeySpec, lang: str) -> str:
    return spec.name_en if lang == "en" else spec.name_ja


def _objects(data: bytes, tags: tuple[bytes, ...], operation: str) -> list[bytes]:
    """The values of exactly these objects in exactly this order."""
    try:
        items = list(tlv.read_all(data))
    except tlv.TlvError:
        items = []
    if tuple(item.tag for item in items) != tags:
        raise UnexpectedAnswer("malformed content: not the objects that are due", operation=operation, sw=SW.OK)
    return [item.value for item in items]
