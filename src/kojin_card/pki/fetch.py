"""Asking over HTTP: the only module of this package that opens a connection to another machine.

Only addresses that were configured are asked. A responder is believed nothing but what it signed, so all that is
guarded here is this program: no redirect, no proxy from the environment, bounded size, and an end to all waiting.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kojin_card.errors import InputError, MissingExtra
from kojin_card.pki.ocsp import MAX_RESPONSE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_ADDRESS_CHARS = 2048
_REQUEST_TYPE, _RESPONSE_TYPE = "application/ocsp-request", "application/ocsp-response"
_SHUT_BOTH = 2  # socket.SHUT_RDWR


@dataclass(frozen=True, slots=True)
class Limits:
    """How long is waited (seconds) and how much is taken (bytes). ``total`` is from the call to the last octet; only
    the look-up of a name, which the system does, is not in it."""

    connect: float = 3.0
    read: float = 5.0
    total: float = 10.0
    size: int = MAX_RESPONSE_BYTES


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came: the body, or in harmless words why there is none."""

    body: bytes | None = None
    problem: str | None = None


def check_address(url: str) -> str:
    """The address as it is, when it is one that may be configured.

    Raises:
        InputError: another scheme than http and https, a user name, a fragment, blanks, no host, or too long.
    """
    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        plain = False
    if not plain or not url.isascii() or not url.isprintable() or " " in url or len(url) > MAX_ADDRESS_CHARS:
        raise InputError("not an address that can be asked (http or https)", operation="configure a responder")
    if parts.username is not None or parts.password is not None or "#" in url:
        raise InputError("an address with a user name or a fragment", operation="configure a responder")
    return url


class HttpTransport:
    """Sends one OCSP request to one of the configured addresses by POST (RFC 6960 appendix A.1). Thread-safe.

    No connection is kept: a responder that answers slowly costs one caller's time and nobody else's.

    Raises:
        MissingExtra: httpx is not installed (extra ``ocsp``).
        InputError: see :func:`check_address`.
    """

    def __init__(
        self,
        addresses: Iterable[str],
        *,
        limits: Limits | None = None,
        environment_proxy: bool = False,
    ) -> None:
        from http.cookiejar import DefaultCookiePolicy

        try:
            import httpx
        except ImportError:
            raise MissingExtra("httpx is not installed", operation="ask an OCSP responder", extra="ocsp") from None
        self._addresses = frozenset(check_address(url) for url in addresses)
        self._limits = Limits() if limits is None else limits
        self._errors: tuple[type[Exception], ...] = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError)
        self._timeouts = httpx.TimeoutException
        bounds = self._limits
        self._client = httpx.Client(
            follow_redirects=False,
            trust_env=environment_proxy,
            timeout=httpx.Timeout(bounds.read, connect=bounds.connect),
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={"Accept": _RESPONSE_TYPE, "Accept-Encoding": "identity", "User-Agent": "kojin-card"},
        )
        self._client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # nobody is to know us again

    def __call__(self, url: str, request: bytes) -> Fetched:
        """Ask; whatever goes wrong is said and never raised."""
        if url not in self._addresses:
            return Fetched(problem="not a configured address")
        with _Deadline(self._limits.total) as deadline:
            try:
                found = self._ask(url, request, deadline)
            except self._timeouts:
                found = Fetched(problem="no answer in time")
            except self._errors as bad:
                found = Fetched(problem=f"the connection failed ({type(bad).__name__})")
        return Fetched(problem="no answer in time") if deadline.over else found

    def _ask(self, url: str, request: bytes, deadline: _Deadline) -> Fetched:
        headers = {"Content-Type": _REQUEST_TYPE}
        extensions = {"trace": deadline.watch}
        with self._client.stream("POST", url, content=request, headers=headers, extensions=extensions) as response:
            if response.is_redirect or response.has_redirect_location:
                return Fetched(problem="a redirect, which is not followed")
            if response.status_code != 200:
                return Fetched(problem=f"HTTP status {response.status_code}")
            kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
            if kind != _RESPONSE_TYPE or response.headers.get("Content-Encoding", "identity") != "identity":
                return Fetched(problem="an answer of another content type")
            taken = bytearray()
            for chunk in response.iter_raw():
                taken += chunk
                if len(taken) > self._limits.size:
                    return Fetched(problem="an answer that is too large")
            return Fetched(bytes(taken))

    def close(self) -> None:
        """Give back what the client holds."""
        self._client.close()


class _Deadline:
    """Ends a connection that takes too long, whatever it is doing: a peer that sends an octet now and then is never
    idle long enough for a read to time out."""

    def __init__(self, seconds: float) -> None:
        self.over = False
        self._lock = threading.Lock()
        self._socket: Any = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """httpcore says what it does: the stream of a connection that was made, or was secured, is the one to end."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            stream = info.get("return_value")
            with self._lock:
                self._socket = None if stream is None else stream.get_extra_info("socket")
                if self.over:
                    self._shut()

    def _end(self) -> None:
        with self._lock:
            self.over = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(_SHUT_BOTH)
