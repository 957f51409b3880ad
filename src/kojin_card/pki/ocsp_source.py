"""OCSP responders as a source of revocation: which one is asked for which CA key, what is kept, and when not to ask."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from kojin_card.errors import DecodeError, InputError, SpecError
from kojin_card.pki import der
from kojin_card.pki.algorithms import Outcome, verify_named
from kojin_card.pki.certificate import Certificate
from kojin_card.pki.fetch import HttpTransport, Limits, check_address
from kojin_card.pki.files import read_bounded
from kojin_card.pki.ocsp import NONCE_BYTES, CertId, NonceRule, Refused, Reply, Rules, read_response, request
from kojin_card.pki.reference import read_issuer
from kojin_card.pki.revocation import RevocationAnswer, RevocationSource, RevocationStatus, Unknown
from kojin_card.spec.strict import parse_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from kojin_card.pki.fetch import Fetched
    from kojin_card.pki.revocation import Revocable
    from kojin_card.pki.trust import TrustAnchor, TrustStore
    from kojin_card.spec.strict import Table

MAX_CONFIG_BYTES, MAX_RESPONDERS = 65_536, 256
CACHE_SIZE = 10_000
#: how long an answer is used again without asking: a third of the time in which J-LIS renews its own (jpki.md §3)
REUSE = timedelta(minutes=5)
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

_AIA, _OCSP = "1.3.6.1.5.5.7.1.1", "1.3.6.1.5.5.7.48.1"
_URI = 0x86


class Transport(Protocol):
    """Whatever brings a request to a responder. Must not raise for want of an answer, and must be thread-safe."""

    def __call__(self, url: str, request: bytes, /) -> Fetched:
        """The response to ``request``."""
        ...


@dataclass(frozen=True, slots=True)
class Responder:
    """Where to ask for one CA key, and what is expected there.

    Raises:
        InputError: an address that cannot be asked.
    """

    url: str
    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        check_address(self.url)


@dataclass(frozen=True, slots=True)
class OcspSettings:
    """Which responders may be asked.

    Attributes:
        responders: by key identifier of the CA.
        aia: addresses that a certificate may name itself (authorityInfoAccess), for CA keys without a responder of
            their own: only exactly these are asked, and only once the certificate is known to be that CA's.
        aia_rules: what is expected there.
        reuse: how long an answer is used again; zero asks every time.
    """

    responders: Mapping[bytes, Responder]
    aia: frozenset[str] = frozenset()
    aia_rules: Rules = field(default_factory=Rules)
    limits: Limits = field(default_factory=Limits)
    environment_proxy: bool = False
    reuse: timedelta = REUSE

    def policy(self) -> Mapping[str, str]:
        """What of it can change an answer, in words: whom to ask about which CA key, and what is expected there."""
        found = {f"responder.{key.hex()}": f"{one.url} {_words(one.rules)}" for key, one in self.responders.items()}
        found |= {f"aia.{url}": _words(self.aia_rules) for url in self.aia}
        return {"reuse": f"{self.reuse.total_seconds():.15g}s", **found}

    def addresses(self) -> frozenset[str]:
        """Everything that may be asked."""
        return self.aia | {one.url for one in self.responders.values()}

    @classmethod
    def load(cls, path: Path, store: TrustStore) -> OcspSettings:
        """Read a settings file (docs/revocation-sources.md).

        Raises:
            InputError: it cannot be read, or names an address or a CA that cannot be used.
            SpecError: it is malformed.
        """
        try:
            text = read_bounded(path, MAX_CONFIG_BYTES).decode("utf-8")
        except UnicodeDecodeError as bad:
            raise SpecError("not UTF-8", file=path.name, table="") from bad
        return cls.parse(text, path.name, store)

    @classmethod
    def parse(cls, text: str, file: str, store: TrustStore) -> OcspSettings:
        """The same of a text. Arguments and errors as :meth:`load`."""
        top = parse_toml(text, file)
        if top.take("schema", int) != 1:
            raise top.error("a schema that this version does not know")
        minutes = _number(top, "reuse_minutes", REUSE.total_seconds() / 60, 1440)
        proxy, seconds = top.take("environment_proxy", bool, False), _number(top, "timeout_seconds", 10, 120)
        aia, rules = top.texts("aia", ()), Rules()
        if top.has("aia_rules"):
            inside = top.table("aia_rules")
            rules = _rules(inside)
            inside.done()
        found: dict[bytes, Responder] = {}
        for table in top.tables("responder"):
            issuer = read_issuer(table.take("issuer", str), store)
            if issuer.key_id in found:
                raise table.error("two responders for one CA key")
            found[issuer.key_id] = Responder(table.take("url", str), _rules(table))
            table.done()
        top.done()
        if len(found) > MAX_RESPONDERS or len(aia) > MAX_RESPONDERS or not (found or aia):
            raise top.error("no responder, or too many")
        usual = Limits()
        limits = Limits(min(usual.connect, seconds), min(usual.read, seconds), seconds)
        urls = frozenset(check_address(url) for url in aia)
        return cls(found, urls, rules, limits, proxy, timedelta(minutes=minutes))


def _rules(table: Table) -> Rules:
    usual = Rules()
    hash = table.take("cert_id", str, usual.hash)
    if hash not in ("sha1", "sha256"):
        raise table.error("cert_id is sha1 or sha256")
    nonce = table.choice("nonce", NonceRule, NonceRule.REQUIRED)
    age = timedelta(minutes=_number(table, "max_age_minutes", usual.max_age.total_seconds() / 60, 10_080))
    skew = timedelta(seconds=_number(table, "skew_seconds", usual.skew.total_seconds(), 3600))
    return Rules(hash, nonce, age, skew, table.take("no_check", bool, True))


def _number(table: Table, key: str, default: float, most: float) -> float:
    value = table.take(key, int, int(default))
    if not 0 <= value <= most or (key == "timeout_seconds" and not value):
        raise table.error(f"{key} is out of range")
    return float(value)


@dataclass(frozen=True, slots=True)
class _Kept:
    reply: Reply
    asked_at: datetime


@dataclass(slots=True)
class _Pause:
    """An address that failed: how often in a row, and until when (of the monotonic clock) it is left alone."""

    failures: int
    until: float


class OcspSource:
    """A :class:`~kojin_card.pki.revocation.RevocationSource` that asks OCSP responders. Thread-safe.

    An answer that is used again (``settings.reuse``) was fresh by its nonce when it was fetched and is not any more:
    what was revoked since is not seen until then. nextUpdate and the greatest age hold for it as for any.

    After a failure an address is left alone, for a second first and twice as long each time, five minutes at most.

    Args:
        transport: how requests travel; HTTP when None.
        clock: seconds that never go back, for the pauses.
        random: gives that many random octets, for nonces.
        cache_size: how many answers are kept.

    Raises:
        MissingExtra: httpx is not installed and no transport was given.
    """

    def __init__(
        self,
        settings: OcspSettings,
        *,
        transport: Transport | None = None,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[int], bytes] = secrets.token_bytes,
        cache_size: int = CACHE_SIZE,
    ) -> None:
        self.settings = settings
        self._transport = _http(settings) if transport is None else transport
        self._clock, self._random, self._cache_size = clock, random, cache_size
        self._kept: OrderedDict[tuple[bytes, int, str], _Kept] = OrderedDict()
        self._pauses: dict[str, _Pause] = {}
        self._lock = threading.Lock()

    def status(self, certificate: Revocable, issuer: TrustAnchor, at: datetime, *, now: datetime) -> RevocationAnswer:
        """See :meth:`~kojin_card.pki.revocation.RevocationSource.status`."""
        responder = self._responder(certificate, issuer)
        if responder is None:
            return RevocationAnswer.unknown(Unknown.NO_RESPONDER, "none is configured for this CA key", method="ocsp")
        key = (issuer.spki, certificate.serial, responder.url)
        kept = self._recall(key, now)
        if kept is None:
            found = self._ask(responder, issuer, certificate.serial)
            if isinstance(found, RevocationAnswer):
                return found
            self._keep(key, _Kept(found, now))
            kept = _Kept(found, now)
        return kept.reply.answer(certificate, at, now, responder.rules)

    def policy(self) -> Mapping[str, str]:
        """For ``policy_sha256`` of a verdict: see :meth:`OcspSettings.policy`."""
        return self.settings.policy()

    def _responder(self, certificate: Revocable, issuer: TrustAnchor) -> Responder | None:
        own = self.settings.responders.get(issuer.key_id)
        if own is not None or not self.settings.aia or not isinstance(certificate, Certificate):
            return own
        signed = verify_named(
            issuer.key, issuer.spki, certificate.signature_algorithm, certificate.signature, certificate.tbs
        )
        if signed is not Outcome.VALID:  # an address that anybody could have written
            return None
        named = next((url for url in named_responders(certificate) if url in self.settings.aia), None)
        return None if named is None else Responder(named, self.settings.aia_rules)

    # --- asking

    def _ask(self, responder: Responder, issuer: TrustAnchor, serial: int) -> Reply | RevocationAnswer:
        url, rules = responder.url, responder.rules
        if self._pausing(url):
            return _unknown(Unknown.UNREACHABLE, "it failed a moment ago and is not asked again yet")
        cert_id = CertId.of(issuer, serial, rules.hash)
        nonce = None if rules.nonce is NonceRule.NONE else self._random(NONCE_BYTES)
        fetched = self._transport(url, request(cert_id, nonce))
        if fetched.body is None:
            self._failed(url)
            return _unknown(Unknown.UNREACHABLE, fetched.problem or "no answer")
        try:
            reply = read_response(fetched.body, cert_id, issuer, nonce, rules)
        except Refused as bad:
            if bad.busy:
                self._failed(url)
            return _unknown(bad.why, bad.message)
        with self._lock:
            self._pauses.pop(url, None)
        return reply

    def _pausing(self, url: str) -> bool:
        with self._lock:
            pause = self._pauses.get(url)
            return pause is not None and self._clock() < pause.until

    def _failed(self, url: str) -> None:
        with self._lock:
            failures = self._pauses[url].failures + 1 if url in self._pauses else 1
            seconds = min(FIRST_PAUSE * 2.0 ** min(failures - 1, 30), LONGEST_PAUSE)
            self._pauses[url] = _Pause(failures, self._clock() + seconds)

    # --- what is kept

    def _recall(self, key: tuple[bytes, int, str], now: datetime) -> _Kept | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or not kept.asked_at <= now < kept.asked_at + self.settings.reuse:
                return None
            self._kept.move_to_end(key)
            return kept

    def _keep(self, key: tuple[bytes, int, str], kept: _Kept) -> None:
        if kept.reply.status is RevocationStatus.UNKNOWN:  # a responder that is asked a minute too early
            return
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > self._cache_size:
                self._kept.popitem(last=False)


def _http(settings: OcspSettings) -> Transport:
    return HttpTransport(settings.addresses(), limits=settings.limits, environment_proxy=settings.environment_proxy)


def _unknown(why: Unknown, detail: str) -> RevocationAnswer:
    return RevocationAnswer.unknown(why, detail, method="ocsp")


def named_responders(certificate: Certificate) -> tuple[str, ...]:
    """The OCSP addresses that a certificate names itself (authorityInfoAccess), in its order; none when malformed."""
    extension = certificate.extension(_AIA)
    if extension is None:
        return ()
    out = []
    try:
        der.check(extension.value)
        for item in der.children(der.single(extension.value, der.SEQUENCE), der.SEQUENCE):
            fields = der.Fields(item)
            method, place = der.oid(fields.next(der.OID)), fields.next()
            fields.done()
            if method == _OCSP and place.tag == _URI:
                out.append(check_address(place.value.decode("ascii")))
    except (DecodeError, InputError, UnicodeDecodeError):
        return ()
    return tuple(out)


def _words(rules: Rules) -> str:
    age, skew = (f"{span.total_seconds():.15g}s" for span in (rules.max_age, rules.skew))
    return f"{rules.hash} nonce:{rules.nonce} max_age:{age} skew:{skew} no_check:{rules.no_check}"


class Combined:
    """A :class:`~kojin_card.pki.revocation.RevocationSource` of several, asked in order: a revocation that any of them
    knows counts; else the newest that is good, those first that know of a revocation after the time asked about; else
    what the first said. All are asked, for one may know more."""

    def __init__(self, *sources: RevocationSource) -> None:
        if not sources:
            raise InputError("no source of revocation", operation="combine sources")
        self.sources = sources

    def status(self, certificate: Revocable, issuer: TrustAnchor, at: datetime, *, now: datetime) -> RevocationAnswer:
        """See :meth:`~kojin_card.pki.revocation.RevocationSource.status`."""
        found: list[RevocationAnswer] = []
        for source in self.sources:
            try:
                answer = RevocationAnswer.taken(source.status(certificate, issuer, at, now=now))
            except Exception as bad:  # whatever one of them does, it hides nothing that another knows
                answer = RevocationAnswer.unknown(Unknown.UNUSABLE, type(bad).__name__, method="source")
            if answer.status is RevocationStatus.REVOKED:
                return answer
            found.append(answer)
        good = [answer for answer in found if answer.status is RevocationStatus.GOOD]
        told = [answer for answer in good if answer.revoked_later_at is not None]
        return max(told or good, key=lambda answer: answer.this_update or _LONG_AGO, default=found[0])
