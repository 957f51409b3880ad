"""The chip: from the bytes of a command to the bytes of an answer. It answers everything, and never raises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError
from kojin_card.iso7816.apdu import CommandApdu
from kojin_card.iso7816.status import SW
from kojin_card.simulator import authenticate, data, pin, read, secure_messaging, select, sign
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.management import commands as management
from kojin_card.simulator.management import scp03
from kojin_card.simulator.security import Refused, Security
from kojin_card.simulator.slot import applet

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.simulator.memory import Memory
    from kojin_card.spec.model import CardSpec

_INTERINDUSTRY, _PROPRIETARY = 0x00, 0x80
_CHANNEL, _SECURE = 0x03, 0x0C  # bits of the class
_MANAGE_ATTRIBUTES = 0x8A
_EXTENDED_MIN = 7


def _issuers_own(_card: Context, command: Received) -> Answer:
    """JICSAP's extended system commands (card.md §4.8): the holder gets as far as the issuer check and no further.

    The word of the refusal is an assumption. MANAGE ATTRIBUTES reaches that check with P1 22 and 24 only.
    """
    known = command.apdu.ins != _MANAGE_ATTRIBUTES or command.apdu.p1 in (0x22, 0x24)
    raise Refused(SW.SECURITY_NOT_SATISFIED if known else SW.INCORRECT_P1P2)


def _last_command(card: Context, _command: Received) -> Answer:
    """``80 FC 00 00`` belongs to the iPhone's token; the plastic card answers 6700 (card.md §4.8).

    What the iPhone's token answers is not public (§13): 9000 without data is an assumption.
    """
    if card.security.application is None or not card.application.last_command:
        raise Refused(SW.WRONG_LENGTH)
    return Answer(SW.OK)


def _commands() -> dict[tuple[int, int], Callable[[Context, Received], Answer]]:
    """Handlers by class and instruction."""
    return {
        (_INTERINDUSTRY, 0xA4): select.select,
        (_INTERINDUSTRY, 0xB0): read.read_binary,
        (_INTERINDUSTRY, 0xB2): read.read_record,
        (_INTERINDUSTRY, 0x20): pin.verify,
        (_INTERINDUSTRY, 0x24): pin.change_reference_data,
        (_INTERINDUSTRY, 0xCA): data.get_data,
        (_INTERINDUSTRY, 0x88): authenticate.internal_authenticate,
        (_INTERINDUSTRY, 0x82): authenticate.external_authenticate,
        (_PROPRIETARY, 0xA2): authenticate.terminal_certificate,
        (_PROPRIETARY, 0xAE): secure_messaging.deliver_key,
        (_INTERINDUSTRY, 0x84): sign.get_challenge,
        (_PROPRIETARY, 0x2A): sign.perform_signature,
        (_PROPRIETARY, 0x32): pin.change_key,
        **dict.fromkeys(((_PROPRIETARY, ins) for ins in (0x06, 0x50, 0x52, 0x54, _MANAGE_ATTRIBUTES)), _issuers_own),
        (_PROPRIETARY, 0xFC): _last_command,
    }


class Chip:
    """A card that is in power: specs, persistent memory and the volatile state between commands."""

    def __init__(self, spec: CardSpec, memory: Memory, random: Callable[[int], bytes]) -> None:
        spec = spec.varied(memory.state.knobs.variants)
        first = spec.power_on
        power_on = first.id if first is not None and first.id in memory.state.applications else None
        self._context = Context(spec, memory, Security(memory, power_on), random)
        self._commands = _commands()
        self._issuers = {**self._commands, **management.issuers_commands()}
        self._domains = management.domains_commands()
        self._slots = {**applet.commands(), **management.session_commands()}

    def reset(self) -> None:
        """Lose the volatile state: no file selected, nothing verified (card.md §4.10)."""
        self._context.security.forget()

    def process(self, raw: bytes) -> bytes:
        """The answer to ``raw``: at least a status word, whatever came in.

        Malformed bytes are 6700; a fault of the card itself is 6F00 and tells nothing else (pcsc.md P9, P10).
        """
        try:
            answer = self._dispatch(raw)
        except Refused as refusal:
            answer = Answer(refusal.sw)
        except Exception:  # a fault must not leave by another way than the status word
            answer = Answer(SW.NO_PRECISE_DIAGNOSIS)
        return answer.data + answer.sw.to_bytes(2, "big")

    def _dispatch(self, raw: bytes) -> Answer:
        try:
            apdu = CommandApdu.decode(raw)
        except DecodeError:
            raise Refused(SW.WRONG_LENGTH) from None
        _check_class(apdu.cla, managed=self._context.security.managed)
        command = Received(apdu, extended=len(raw) >= _EXTENDED_MIN and raw[4] == 0)
        if apdu.cla & _SECURE == scp03.SECURE:
            return scp03.unwrap(self._context, command, self._process)
        if apdu.cla & _SECURE:
            return secure_messaging.unwrap(self._context, command, self._process)
        return self._process(command)

    def _process(self, command: Received) -> Answer:
        """A command in clear."""
        handler = self._table().get((command.apdu.cla, command.apdu.ins))
        if handler is None:
            raise Refused(SW.INS_NOT_SUPPORTED)
        return handler(self._context, command)

    def _table(self) -> dict[tuple[int, int], Callable[[Context, Received], Answer]]:
        """The handlers of what is current: a slot, an owner's domain, the issuer's, or an application."""
        security = self._context.security
        if security.slot is not None:
            return self._slots
        if security.domain is None:
            return self._commands
        return self._issuers if security.application is not None else self._domains


def _check_class(cla: int, *, managed: bool) -> None:
    """Classes 00 and 80 on the basic channel, and their forms for secure messaging.

    Args:
        managed: a security domain or a slot is current, so that the form of GlobalPlatform (04, 84) is one.

    Raises:
        Refused: 6E00 for other classes; 6881 for logical channels (card.md §4.9); 6987 for secure messaging with a
            checksum over the header (0C), which no session has (§4.7), and 6882 for a form that no source knows.
    """
    if cla & ~(_PROPRIETARY | _SECURE | _CHANNEL):
        raise Refused(SW.CLA_NOT_SUPPORTED)
    if cla & _CHANNEL:
        raise Refused(SW.CHANNEL_NOT_SUPPORTED)
    match cla & _SECURE:
        case 0x00 | 0x08:
            return
        case scp03.SECURE if managed:
            return
        case 0x0C:
            raise Refused(SW.SM_OBJECTS_MISSING)
        case _:
            raise Refused(SW.SM_NOT_SUPPORTED)
