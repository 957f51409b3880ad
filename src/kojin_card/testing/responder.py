"""An OCSP responder of the test PKI on this machine: a real HTTP server on loopback, for tests of whoever asks one.

No outside address is ever involved: it listens on 127.0.0.1, on a port that the system picks.
"""

from __future__ import annotations

import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

from kojin_card.pki.ocsp_source import OcspSettings, OcspSource, Responder
from kojin_card.testing.cards import test_pki
from kojin_card.testing.ocsp import OF_HTTP, OcspAnswers, OcspFault

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta
    from types import TracebackType

    from kojin_card.pki.ocsp import Rules

_RESPONSE_TYPE = "application/ocsp-response"
_MAX_REQUEST = 65_536
#: more than any client should take
_HUGE = 4 * 1024 * 1024


class OcspResponder(OcspAnswers):
    """:class:`~kojin_card.testing.ocsp.OcspAnswers` over HTTP, from ``with`` to the end of its block.

    Attributes:
        url: where it listens.
        slow_seconds: how long a slow one takes.
        cookies: how often a client sent one: it sets one with every answer, and none should come back.
    """

    slow_seconds = 30.0

    def __init__(
        self, clock: Callable[[], datetime], *, delegated: bool = False, fault: OcspFault | str | None = None
    ) -> None:
        super().__init__(clock, delegated=delegated, fault=fault)
        self.url = ""
        self.cookies = 0
        self._over = threading.Event()
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/ocsp"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def wait(self, seconds: float) -> bool:
        """Wait that long; True when the responder has ended meanwhile."""
        return self._over.wait(seconds)

    def settings(self, rules: Rules | None = None, *, reuse: timedelta | None = None) -> OcspSettings:
        """Settings that send questions about every CA of the test PKI here."""
        from kojin_card.pki.ocsp import Rules
        from kojin_card.pki.trust import TrustStore

        here = Responder(self.url, Rules() if rules is None else rules)
        responders = {anchor.key_id: here for anchor in TrustStore.load("simulator").anchors}
        return OcspSettings(responders) if reuse is None else OcspSettings(responders, reuse=reuse)

    def source(self, rules: Rules | None = None) -> OcspSource:
        """A source of revocation that asks here."""
        return OcspSource(self.settings(rules))

    def settings_file(self) -> str:
        """The text of a file for ``--ocsp``."""
        rows = (f'[[responder]]\nissuer = "{ca.label}"\nurl = "{self.url}"\n' for ca in test_pki().cas)
        return "schema = 1\n" + "".join(rows)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up, as it should on some faults, is no news."""
        del request, client_address


def _handler(responder: OcspResponder) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            del format, args

        def do_POST(self) -> None:  # the name is http.server's
            length = max(0, min(int(self.headers.get("Content-Length") or 0), _MAX_REQUEST))
            request, fault = self.rfile.read(length), responder.fault
            responder.cookies += "Cookie" in self.headers
            if self.headers.get("Content-Type") != "application/ocsp-request":
                self.send_error(415)
            elif fault in OF_HTTP:
                self._misbehave(request, fault)
            else:
                self._send(responder.answer(request))

        def _send(self, body: bytes, kind: str = _RESPONSE_TYPE) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Set-Cookie", "who=you")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _misbehave(self, request: bytes, fault: OcspFault) -> None:
            body = responder.answer(request)
            if fault is OcspFault.REDIRECT:
                self.send_response(307)
                self.send_header("Location", responder.url + "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif fault is OcspFault.HTTP_ERROR:
                self.send_error(503)
            elif fault is OcspFault.CONTENT_TYPE:
                self._send(body, "text/html")
            elif fault is OcspFault.HUGE:
                self._send(body + bytes(_HUGE))
            elif fault is OcspFault.SLOW:
                if not responder.wait(responder.slow_seconds):
                    self._send(body)
            elif fault is OcspFault.DRIP:
                self._drip(body)
            else:
                self.close_connection = True

        def _drip(self, body: bytes) -> None:
            """An octet now and then, headers first: no single wait is long."""
            text = f"HTTP/1.0 200 OK\r\nContent-Type: {_RESPONSE_TYPE}\r\n\r\n".encode()
            ends = time.monotonic() + responder.slow_seconds
            with contextlib.suppress(OSError):
                for octet in text + body:
                    self.wfile.write(bytes((octet,)))
                    self.wfile.flush()
                    if responder.wait(0.05) or time.monotonic() > ends:
                        return

    return Handler
