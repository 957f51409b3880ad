"""Applications and files of a card by the names of the specs: select and read.

Short EF identifiers by default: four items cost four APDUs. A card that refuses them is served with SELECT EF from then
on; whether it does is found out with commands that cost nothing, never with a PIN.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError, UnexpectedAnswer, UsageError
from kojin_card.iso7816 import tlv
from kojin_card.iso7816.apdu import EXTENDED_LE_MAX, SHORT_LE_MAX, CommandApdu, ResponseApdu
from kojin_card.iso7816.status import SW
from kojin_card.spec import Encoding, Privacy, Structure, decode, load_card_spec
from kojin_card.transport.answers import raise_for_sw
from kojin_card.transport.base import Transactional
from kojin_card.transport.link import Link, Observer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kojin_card.channel.secure_messaging import SecureLink
    from kojin_card.spec import ApplicationSpec, CardSpec, FileSpec, KeySpec, LayoutSpec, ObjectSpec, Record
    from kojin_card.transport.base import Connection

#: READ BINARY has a 15-bit offset (card.md §4.2); a card that gives crumbs is not followed for ever.
MAX_OFFSET = 0x7FFF
MAX_READS = 1024

_READ_BINARY, _READ_RECORD, _SELECT, _GET_DATA = 0xB0, 0xB2, 0xA4, 0xCA
CURRENT_EF = 0x80

#: What a card may say that does not know the form with a short identifier. 6982 is not among them, nor is a counter.
_FORM_REFUSED = frozenset(
    {
        SW.WRONG_FILE_STRUCTURE,
        SW.NO_CURRENT_EF,
        SW.FUNCTION_NOT_SUPPORTED,
        SW.FILE_NOT_FOUND,
        SW.INCORRECT_P1P2,
        SW.REFERENCE_NOT_FOUND,
        SW.OFFSET_PAST_END,
    }
)
#: End of file before Le bytes were read: with it the data is good (seen tolerated by clients, card.md §4.2).
_END_OF_FILE = 0x6282


@dataclass(slots=True)
class _State:
    """What the card is believed to remember."""

    application: str | None = None
    current: bytes | None = None
    verified: set[str] = field(default_factory=set)
    unset: set[str] = field(default_factory=set)  # secrets of which the card's own file says that nobody set them


class FileChannel:
    """Selecting and reading; :class:`~kojin_card.channel.CardChannel` adds secrets and keys.

    Args:
        spec: the applet specs; those of the package when left out.
        observer: is told every exchange, masked.
        plain_select: never use short EF identifiers.

    Attributes:
        epoch: another number after each SELECT of an application and each reset: a session of secure messaging does
            not outlive them (card.md §4.7).
    """

    def __init__(
        self,
        connection: Connection,
        *,
        spec: CardSpec | None = None,
        observer: Observer | None = None,
        plain_select: bool = False,
    ) -> None:
        self.spec = load_card_spec() if spec is None else spec
        self.link = Link(connection, observer=observer)
        self.epoch = 0
        self._connection = connection
        self._plain = plain_select
        self._state = _State()
        self._depth = 0

    # --- session --------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep other programs off the card inside the block, when the connection can; may be nested."""
        if self._depth or not isinstance(self._connection, Transactional):
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            return
        with self._connection.transaction() as began:
            if began is True:
                self.forget()  # another program may have selected something else since
            self._depth = 1
            try:
                yield
            finally:
                self._depth = 0

    def reset(self) -> None:
        """Let the card forget what was verified (when the connection can reset it).

        Raises:
            TransportError: it failed.
        """
        self.forget()
        self.link.reset()

    def forget(self) -> None:
        """Believe nothing of what the card remembers: the next operation selects its application anew."""
        self._state = _State()
        self.epoch += 1

    def is_verified(self, app: str, key: str) -> bool:
        """Whether this session verified ``key`` and the card still remembers, as far as we know."""
        return self._state.application == app and key in self._state.verified

    def select(self, app: str) -> None:
        """Select an application, even when it is selected; its security state is gone after that (card.md §4.10).

        One that says it is locked (6283, §2.9) is selected all the same: what is open in it can be read.

        Raises:
            NotOnCard: the card has no such application.
        """
        application = self._application(app)
        self.forget()
        command = CommandApdu(0x00, _SELECT, 0x04, 0x0C, application.aid)
        answer = self.link.send(command, operation=f"select {app}")
        if answer.sw != SW.DF_LOCKED:
            raise_for_sw(f"select {app}", answer.sw, application=app)
        self._state.application = app

    # --- reading ----------------------------------------------------------------------------------------------------

    def read(self, app: str, file: str) -> bytes:
        """A transparent file: its declared size, or its one data object without the filler behind it.

        The length comes from the head of the data; only the first READ may ask for more than there is.

        Raises:
            AccessDenied: a key must be verified first. NotOnCard: no such file.
            UnexpectedAnswer: another status word, or a file longer than can be read.
        """
        application, spec = self._application(app), self._file(app, file)
        if spec.structure is Structure.RECORDS:
            raise UsageError("a file of records is read by record", operation=f"read {app}/{file}")
        return self._read_all(app, spec, application.layout_of(file))

    def read_record(self, app: str, file: str, number: int) -> bytes:
        """One record of a record file (card.md §4.2).

        Raises:
            AccessDenied: a key must be verified first. NotOnCard: no such file or record.
            UnexpectedAnswer: another status word.
        """
        operation, spec = f"read {app}/{file}", self._file(app, file)
        if spec.structure is Structure.TRANSPARENT or not 1 <= number <= 0xFE:
            raise UsageError("not a file of records, or no number of a record", operation=operation)
        self._ensure(app)
        answer = self._on_ef(
            spec,
            CommandApdu(0x00, _READ_RECORD, number, spec.sfi << 3 | 0x04, le=SHORT_LE_MAX),
            CommandApdu(0x00, _READ_RECORD, number, 0x04, le=SHORT_LE_MAX),
            operation,
            private=spec.privacy is not Privacy.PUBLIC,
        )
        raise_for_sw(operation, answer.sw)
        return answer.data

    def record(self, app: str, file: str, number: int | None = None) -> Record:
        """A file (or record ``number`` of it), read and decoded by its layout.

        Raises:
            UnexpectedAnswer: the content is malformed.
            AccessDenied, NotOnCard: as :meth:`read`.
        """
        operation = f"read {app}/{file}"
        layout = self._layout(app, file, number)
        raw = self.read(app, file) if number is None else self.read_record(app, file, number)
        return self._decoded(layout, raw, operation)

    @staticmethod
    def _decoded(layout: LayoutSpec | None, raw: bytes, operation: str) -> Record:
        if layout is None:
            raise UsageError("the inner form of this is unknown", operation=operation)
        try:
            return decode(layout, raw)
        except DecodeError as bad:
            problem = bad.message
        raise UnexpectedAnswer(f"malformed content: {problem}", operation=operation, sw=SW.OK)

    def get_data(self, app: str, name: str) -> bytes:
        """A data object (GET DATA, card.md §2.5): its value, without tag and length.

        A big one answers 6700 to a short Le and is asked for again with an extended one. Observers see none of it: what
        is public and what is personal differ by one byte of the command.

        Raises:
            NotOnCard: the card has no such application or object. AccessDenied: something must be shown first.
            UsageError: a big object, and a connection that carries short APDUs only.
            UnexpectedAnswer: another status word, nothing, or not the size that it has.
        """
        operation, spec = f"get {app}/{name}", self._object(app, name)
        self._ensure(app)
        command = CommandApdu(0x00, _GET_DATA, spec.tag[0], spec.tag[1], le=SHORT_LE_MAX)
        answer = self.link.send(command, operation=operation)
        if answer.sw == SW.WRONG_LENGTH:
            command = CommandApdu(0x00, _GET_DATA, spec.tag[0], spec.tag[1], le=EXTENDED_LE_MAX)
            answer = self.link.send(command, operation=operation, insist=True)
        raise_for_sw(operation, answer.sw)
        if not answer.data or (spec.size is not None and len(answer.data) != spec.size):
            raise UnexpectedAnswer("not the size that this object has", operation=operation, sw=answer.sw)
        return answer.data

    def data_object(self, app: str, name: str) -> Record:
        """A data object, decoded by its layout.

        Raises:
            UnexpectedAnswer: the content is malformed. Others as :meth:`get_data`.
        """
        layout = self._application(app).layout_of_object(self._object(app, name).id)
        return self._decoded(layout, self.get_data(app, name), f"get {app}/{name}")

    def read_through(self, link: SecureLink, app: str, file: str) -> bytes:
        """As :meth:`read`, in a session of secure messaging: SELECT EF, and READ BINARY of the whole file at once.

        Raises:
            SecureMessagingError: the session broke. Others as :meth:`read`.
        """
        operation, spec = f"read {app}/{file}", self._file(app, file)
        if spec.structure is Structure.RECORDS:
            raise UsageError("a file of records is read by record", operation=operation)
        self._select_ef(spec, operation, link)
        # Le 65536 gives every file of a card whole (MC sm.rs), so that nothing has to be concluded from its beginning
        answer = link.send(CommandApdu(0x00, _READ_BINARY, 0x00, 0x00, le=EXTENDED_LE_MAX), operation=operation)
        raise_for_sw(operation, answer.sw)
        return answer.data[: _target(spec, self._application(app).layout_of(file), answer.data)]

    # --- names ------------------------------------------------------------------------------------------------------

    def _application(self, app: str) -> ApplicationSpec:
        try:
            return self.spec.applications[app]
        except KeyError:
            raise UsageError(f"no application {app!r} in the specs") from None

    def _file(self, app: str, file: str) -> FileSpec:
        try:
            return self._application(app).files[file]
        except KeyError:
            raise UsageError(f"no file {app}/{file} in the specs") from None

    def _object(self, app: str, name: str) -> ObjectSpec:
        try:
            return self._application(app).objects[name]
        except KeyError:
            raise UsageError(f"no data object {app}/{name} in the specs") from None

    def _key(self, app: str, key: str) -> KeySpec:
        try:
            return self._application(app).keys[key]
        except KeyError:
            raise UsageError(f"no key {app}/{key} in the specs") from None

    def _layout(self, app: str, file: str, number: int | None) -> LayoutSpec | None:
        application, spec = self._application(app), self._file(app, file)
        if number is None:
            return application.layout_of(file)
        name = next((record.layout for record in spec.records if record.number == number), "")
        return application.layouts[name] if name else None

    # --- selecting --------------------------------------------------------------------------------------------------

    def _ensure(self, app: str) -> None:
        if self._state.application != app:
            self.select(app)

    def _select_ef(self, spec: FileSpec | KeySpec, operation: str, link: SecureLink | None = None) -> None:
        if self._state.current == spec.file_id and link is None:
            return
        self._state.current = None
        command = CommandApdu(0x00, _SELECT, 0x02, 0x0C, spec.file_id)
        raise_for_sw(operation, (link or self.link).send(command, operation=operation).sw)
        self._state.current = spec.file_id

    def _on_ef(
        self,
        spec: FileSpec | KeySpec,
        by_sfi: CommandApdu,
        plain: CommandApdu,
        operation: str,
        *,
        private: bool = True,
        private_data: bool = False,
    ) -> ResponseApdu:
        """Send ``by_sfi``; if the card refuses its form, SELECT EF and ``plain``, which is remembered when it works.

        Neither command may hold a secret.
        """
        if not self._plain:
            self._state.current = None
            answer = self.link.send(by_sfi, operation=operation, private=private, private_data=private_data)
            if answer.sw not in _FORM_REFUSED:
                return answer
        self._select_ef(spec, operation)
        answer = self.link.send(plain, operation=operation, private=private, private_data=private_data)
        if answer.sw not in _FORM_REFUSED:
            self._plain = True
        return answer

    # --- reading, in detail -----------------------------------------------------------------------------------------

    def _read_all(self, app: str, spec: FileSpec, layout: LayoutSpec | None) -> bytes:
        operation = f"read {app}/{spec.id}"
        private = spec.privacy is not Privacy.PUBLIC
        self._ensure(app)
        le = self._first_le(spec, layout)
        answer = self._on_ef(
            spec,
            CommandApdu(0x00, _READ_BINARY, CURRENT_EF | spec.sfi, 0x00, le=le),
            CommandApdu(0x00, _READ_BINARY, 0x00, 0x00, le=le),
            operation,
            private=private,
        )
        data = bytearray(self._content(answer, operation))
        self._state.current = spec.file_id
        target = _target(spec, layout, bytes(data))
        ended = answer.sw == _END_OF_FILE or (target is None and len(data) < SHORT_LE_MAX)
        reads = 1
        while not ended and (target is None or len(data) < target):
            if len(data) > MAX_OFFSET or reads >= MAX_READS:
                raise UnexpectedAnswer("a file longer than can be read", operation=operation, sw=answer.sw)
            most = EXTENDED_LE_MAX if self.link.extended else SHORT_LE_MAX
            le = SHORT_LE_MAX if target is None else min(most, target - len(data))
            command = CommandApdu(0x00, _READ_BINARY, len(data) >> 8, len(data) & 0xFF, le=le)
            answer = self.link.send(command, operation=operation, private=private)
            reads += 1
            if answer.sw == SW.OFFSET_PAST_END:
                break
            piece = self._content(answer, operation)
            data += piece
            ended = not piece or answer.sw == _END_OF_FILE or (target is None and len(piece) < le)
        return bytes(data if target is None else data[:target])

    def _first_le(self, spec: FileSpec, layout: LayoutSpec | None) -> int:
        """256, or less when the file is known to be shorter; all of it at once where extended APDUs help."""
        if spec.size is not None:
            return spec.size if self.link.extended else min(spec.size, SHORT_LE_MAX)
        long = self.link.extended and layout is not None and layout.encoding is Encoding.DER
        return EXTENDED_LE_MAX if long else SHORT_LE_MAX

    @staticmethod
    def _content(answer: ResponseApdu, operation: str) -> bytes:
        if answer.sw != _END_OF_FILE:
            raise_for_sw(operation, answer.sw)
        return answer.data


def _target(spec: FileSpec, layout: LayoutSpec | None, head: bytes) -> int | None:
    """How many bytes to read in all: the declared size or the object's length, whichever is more; None: to the end."""
    length: int | None = None
    if layout is not None and layout.encoding is Encoding.DER:
        known = head[:2] == b"\x30\x82" and len(head) >= 4
        length = 4 + int.from_bytes(head[2:4], "big") if known else len(head)
    elif layout is not None and layout.encoding is Encoding.BER_TLV:
        try:
            length = tlv.object_length(head)
        except tlv.TlvError:
            length = None
        length = len(head) if length is None else length  # no object begins here: the decoder will say so
    return spec.size if length is None else max(length, spec.size or 0)
