"""Every command on consoles that cannot show everything: never a traceback, and the exit code of any other console.

The holder is 𠮷野　鷗: 𠮷 is in none of these encodings, and 鷗 is not in cp932.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.commandline import secrets_file
from cli.counter import CITY, KEYS, TOWN, Counter
from cli.test_boundary import process
from cli.test_commands import other_authority
from cli.test_help import LEAVES
from client.fake_pcsc import Fake, Reader
from kojin_card import messages
from kojin_card.simulator import CardState, SoftCard
from kojin_card.testing.documents import blank_pdf

ENCODINGS = ("cp932", "ascii", "latin-1")
NAME = "𠮷野　鷗"
SIGN, AUTH, PIN = {"sign-password": "ABC123"}, {"auth-pin": "1234"}, {"pin": "5678"}
A = {"code-a": "900000001776"}
GATE = "--terminal gate.cert --terminal-key gate.pem --owners owners.toml --status cards.toml"
BY = "--keys city.keys --legal-basis 鷗条例 --yes"
CERTIFY = "--keys city.keys --service facility --group library"
TRUST = "--trust simulator --revocation crl"


@dataclass(frozen=True)
class Line:
    """A line of a session: later ones use what earlier ones left.

    Attributes:
        area: a card of :mod:`cli.counter` instead of the session's own.
    """

    words: str
    secrets: Mapping[str, str] | None = None
    fails: bool = False
    area: str = ""


#: for every command one that succeeds (or judges) and one that is refused, with names that no such console can show
LINES = [
    Line("readers"),
    Line("readers", fails=True),
    Line("watch --seconds 0"),
    Line("watch", fails=True),
    Line("doctor"),
    Line("doctor --simulator no-鷗.json", fails=True),
    Line("info"),
    Line("info --reader 𠮷鷗", fails=True),
    Line("check", PIN),
    Line("check --trust 鷗", fails=True),
    Line("read basic-four", PIN),
    Line("read basic-four", {"pin": "0000"}, fails=True),
    Line("read my-number --duty 𠮷鷗 -o number-鷗.txt", PIN),
    Line("read my-number --duty 𠮷鷗 -o number-鷗.txt", PIN, fails=True),
    Line("read face -o 鷗 --sheet 鷗.png --html 鷗.html", A),
    Line("read face -o 鷗", A, fails=True),
    Line("read age --at-least 20", {"birth-code": "571103"}),
    Line("read age --at-least 鷗", {"birth-code": "571103"}, fails=True),
    Line("read licence --simulator licence.json -o 鷗.jp2", {"licence-pin": "2468"}),
    Line("read licence", {"licence-pin": "2468"}, fails=True),
    Line("pin status"),
    Line("pin status 鷗", fails=True),
    Line("cert show auth"),
    Line("cert show sign --disclose", SIGN),
    Line("cert show sign", {"sign-password": "鷗"}, fails=True),
    Line("cert export auth -o 鷗.pem"),
    Line("cert export auth -o 鷗.pem", fails=True),
    Line(f"cert status auth {TRUST}"),
    Line("cert status auth --trust 鷗", fails=True),
    Line("cert status --serial 1500001 --issuer sim-signca02 --trust simulator"),
    Line("cert status --serials no-鷗.csv -o 鷗-r.csv", fails=True),
    Line("cert export sign -o sign.pem", SIGN),
    Line("sign raw 鷗.pdf -o 鷗.sig", SIGN),
    Line("sign raw no-𠮷.pdf -o x.sig", SIGN, fails=True),
    Line("sign cms 鷗.pdf -o 鷗.p7s", SIGN),
    Line("sign cms 鷗.pdf -o 鷗.pdf", SIGN, fails=True),
    Line("sign pdf 鷗.pdf -o 鷗-s.pdf --reason 鷗", SIGN),
    Line("sign pdf 鷗.sig -o x.pdf", SIGN, fails=True),
    Line("sign xml 鷗.xml -o 鷗-s.xml --form xades", SIGN),
    Line("sign xml 鷗.pdf -o x.xml", SIGN, fails=True),
    Line("auth challenge --audience 𠮷.example --purpose 鷗 -o 鷗.json"),
    Line("auth challenge --audience x", fails=True),
    Line("auth respond 鷗.json -o 鷗.jws", AUTH),
    Line("auth respond no-鷗.json", AUTH, fails=True),
    Line(f"auth verify 鷗.jws --audience 𠮷.example {TRUST}"),
    Line(f"auth verify no-鷗.jws --audience 𠮷.example {TRUST}", fails=True),
    Line(f"verify raw 鷗.sig --content 鷗.pdf --certificate sign.pem --disclose {TRUST}"),
    Line("verify raw 鷗.sig --content no-鷗 --certificate sign.pem", fails=True),
    Line(f"verify cms 鷗.p7s --disclose {TRUST}"),
    Line("verify cms no-鷗.p7s", fails=True),
    Line(f"verify pdf 鷗-s.pdf --disclose {TRUST}"),
    Line(f"verify pdf 鷗-s.pdf no-鷗.pdf --disclose {TRUST}", fails=True),
    Line(f"verify xml 鷗-s.xml --disclose {TRUST}"),
    Line(f"verify xml 鷗-s.xml no-鷗.xml --disclose {TRUST}", fails=True),
    Line("trust list"),
    Line("trust list --trust 鷗", fails=True),
    Line("trust add ca-鷗.pem --trust jlis-test --fingerprint FINGERPRINT"),
    Line("trust add 鷗.pdf --trust jlis-test --fingerprint FINGERPRINT", fails=True),
    Line(f"revocation status {TRUST}"),
    Line("revocation status --trust 鷗", fails=True),
    Line("revocation add crl/signature.der --trust simulator --revocation 鷗crl"),
    Line("revocation add no-鷗.crl --trust simulator --revocation 鷗crl", fails=True),
    Line("revocation add 鷗crl --trust simulator --revocation 鷗crl", fails=True),
    Line("revocation prune --none-cited --revocation 鷗crl"),
    Line("revocation prune --cited no-鷗 --revocation 鷗crl", fails=True),
    Line("pin change auth", {**AUTH, "new-auth-pin": "4826"}),
    Line("pin change registry", {"registry-pin": "9012", "new-registry-pin": "鷗"}, fails=True),
    Line("slot list", area="both"),
    Line("slot list --keys no-鷗.keys", KEYS, fails=True),
    Line("slot list --keys city.keys --owners owners.toml", KEYS, area="both"),
    Line("slot list --trial-keys --owners owners.toml", area="both"),
    Line(f"slot show {GATE}", area="both"),
    Line("slot show --terminal gate.cert", fails=True),
    Line(f"slot issue facility --fields 鷗.toml --name 𠮷鷗 --receipt 鷗-r.html {BY}", KEYS, area="room"),
    Line("slot issue 鷗 --keys city.keys --legal-basis 鷗 --yes", KEYS, fails=True),
    Line("slot issue facility --batch 鷗.csv --keys city.keys --legal-basis 鷗 --yes", KEYS, fails=True),
    Line("slot update --field category=student --keys city.keys --yes", KEYS, area="card"),
    Line("slot update --field category=鷗 --keys city.keys --yes", KEYS, area="card", fails=True),
    Line("slot suspend --keys city.keys --yes", KEYS, area="card"),
    Line("slot suspend --keys city.keys", KEYS, fails=True),
    Line("slot resume --keys city.keys --yes", KEYS, area="card"),
    Line("slot resume --keys city.keys --aid 鷗 --yes", KEYS, fails=True),
    Line(f"slot move --to {TOWN} -o 鷗.move --keys city.keys --owners owners.toml --yes", KEYS, area="card"),
    Line("slot move --to 鷗 -o 鷗.other --keys city.keys --yes", KEYS, area="card", fails=True),
    Line("slot delete --keys city.keys --yes", KEYS, area="card"),
    Line("slot delete --keys city.keys --yes", KEYS, area="card", fails=True),
    Line("slot unblock --keys city.keys --yes", {**KEYS, "new-slot-pin": "1357"}, area="seal"),
    Line("slot unblock --keys city.keys --yes", {**KEYS, "new-slot-pin": "12"}, area="seal", fails=True),
    Line(f"slot-issuer init 鷗.keys --owner {TOWN} --name-ja 鷗市 --public 鷗-o.toml", KEYS),
    Line(f"slot-issuer init 鷗.keys --owner {TOWN}", KEYS, fails=True),
    Line("slot-issuer rotate --keys next.keys --yes", KEYS, area="stopped"),
    Line("slot-issuer rotate --keys no-鷗.keys --yes", KEYS, area="stopped", fails=True),
    Line(f"slot-issuer certify-terminal gate-public.pem --terminal-name G -o 鷗.cert {CERTIFY}", KEYS),
    Line(f"slot-issuer certify-terminal gate-public.pem --terminal-name 鷗 -o 鷗2.cert {CERTIFY}", KEYS, fails=True),
    Line(f"slot-issuer join --partner {TOWN} --owners owners.toml --keys city.keys --yes", KEYS, area="seal"),
    Line("slot-issuer join --partner 鷗 --owners owners.toml --keys city.keys --yes", KEYS, area="seal", fails=True),
    Line("slot-owner create --trial-keys --keys city.keys --yes", KEYS, area="bare"),
    Line("slot-owner create --keys city.keys --yes", KEYS, area="bare", fails=True),
    Line(f"slot-owner quota --trial-keys --owner {CITY} --quota 4096 --yes", area="bare"),
    Line("slot-owner quota --trial-keys --owner 鷗 --quota 4096 --yes", area="bare", fails=True),
    Line(f"slot-owner delete --trial-keys --owner {CITY} --yes", area="bare"),
    Line(f"slot-owner delete --trial-keys --owner {CITY} --yes", area="bare", fails=True),
    Line("simulator new 鷗-new.json --persona substitute_name"),
    Line("simulator new 鷗-new.json", fails=True),
    Line("simulator show 鷗-new.json --reveal"),
    Line("simulator show no-鷗.json", fails=True),
    Line("simulator set 鷗-new.json --tries jpki/auth_pin=1"),
    Line("simulator set 鷗-new.json --tries 鷗", fails=True),
    Line("simulator serve no-鷗.json", fails=True),
    Line("simulator insert no-鷗.json --control no-鷗.sock", fails=True),
    Line("simulator remove 鷗", fails=True),
    Line("demo --folder 鷗-demo"),
    Line("demo --folder .", fails=True),
    *(Line(f"{words} --explain") for words in ("info", "read face -o 鷗", "sign pdf 鷗.pdf -o 𠮷.pdf")),
]


def leaf(words: str) -> str:
    paths = {".".join(path) for path, _ in LEAVES}
    first, second = [*words.split(), ""][:2]
    return next(name for name in (f"{first}.{second}", first) if name in paths)


#: what these say depends on the readers of the machine, and one of them waits for ever
OF_THE_MACHINE = {"readers", "doctor", "watch"}
#: these succeed only with a card in a virtual reader: tests/cli/test_simulator_serve.py
WHILE_SERVED = {"simulator.serve", "simulator.insert", "simulator.remove"}


def test_every_command_is_here_with_both_outcomes() -> None:
    every = {".".join(path) for path, _ in LEAVES}
    for fails in (True, False):
        missing = every - OF_THE_MACHINE - {leaf(line.words) for line in LINES if line.fails == fails}
        missing -= set() if fails else WHILE_SERVED
        assert not missing, f"no line that {'fails' if fails else 'succeeds'}: {missing}"


@dataclass(frozen=True)
class Shown:
    """What a line gave on a console."""

    exit: int
    out: bytes
    err: bytes


@pytest.fixture(scope="module")
def session(
    tmp_path_factory: pytest.TempPathFactory,
    states: Callable[[str], CardState],
    crls: Path,
    made_counter: Counter,
) -> Callable[[str, str], list[Shown]]:
    """All lines, one after the other, on a console of that encoding and language."""
    import base64
    import hashlib

    from kojin_card.cli.root import root

    pem = other_authority()
    digest = hashlib.sha256(base64.b64decode("".join(pem.decode("ascii").split("\n")[1:-2]))).hexdigest()

    @cache
    def run(encoding: str, lang: str) -> list[Shown]:
        folder = tmp_path_factory.mktemp("console")
        SoftCard.create(folder / "𠮷鷗.json", states("substitute_name")).close()
        SoftCard.create(folder / "licence.json", states("licence_holder")).close()
        (folder / "鷗.pdf").write_bytes(blank_pdf(["x"]))
        (folder / "鷗.xml").write_text("<鷗>𠮷</鷗>", encoding="utf-8")
        (folder / "ca-鷗.pem").write_bytes(pem)
        (folder / "crl").symlink_to(crls)
        made_counter.copy(folder)
        (folder / "鷗.toml").write_bytes((folder / "library.toml").read_bytes())
        environment = {"KOJIN_CARD_CONFIG": str(folder / "home"), "LANG": "C", "LC_ALL": None, "LC_MESSAGES": None}
        shown = []
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            for line in LINES:
                if line.fails:
                    patch.setitem(sys.modules, "smartcard", None)
                else:
                    Fake(鷗のリーダー=Reader(object())).install(patch)
                words = [
                    "--simulator",
                    f"{line.area or '𠮷鷗'}.json",
                    "--lang",
                    lang,
                    *line.words.replace("FINGERPRINT", digest).split(),
                ]
                if line.secrets is not None:
                    words += ["--secrets", str(secrets_file(folder, line.secrets))]
                result = CliRunner(charset=encoding).invoke(root, words, env=environment)
                assert result.exception is None or isinstance(result.exception, SystemExit), (line, result.exception)
                shown.append(Shown(result.exit_code, result.stdout_bytes, result.stderr_bytes))
        return shown

    return run


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_command_fails_for_want_of_a_character(
    session: Callable[[str, str], list[Shown]], encoding: str, lang: str
) -> None:
    for line, here, there in zip(LINES, session(encoding, lang), session("utf-8", lang), strict=True):
        assert here.exit == there.exit, line
        assert (here.exit in (0, 21)) != line.fails, (line, here.exit, here.err.decode(encoding, "replace"))
        out, err = here.out.decode(encoding), here.err.decode(encoding)
        assert b"Traceback" not in here.out + here.err, line
        assert "\\u" not in err, line  # what the stream itself would write in its need
        told = (there.out + there.err).decode().translate(dict.fromkeys(map(ord, "✓✗─█░")))  # these have words instead
        if cannot(told, encoding):
            geta = "?" if cannot("〓", encoding) else "〓"
            assert geta in out + err, line
            warning = messages.text("say.geta", lang, geta=geta)
            assert "".join(on(warning, encoding).split()) in "".join(err.split()), line


def on(text: str, encoding: str) -> str:
    """A text as such a console shows it."""
    geta = "?" if cannot("〓", encoding) else "〓"
    return "".join(geta if cannot(char, encoding) else char for char in text)


def cannot(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return True
    return False


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("encoding", ["cp932", "ascii", "latin-1"])
def test_a_real_process(tmp_path: Path, states: Callable[[str], CardState], encoding: str, lang: str) -> None:
    """The same through a real stdout, for what shows the name and for what refuses."""
    SoftCard.create(tmp_path / "card.json", states("substitute_name")).close()
    given = secrets_file(tmp_path, {**PIN, **SIGN})
    environment = {"PYTHONIOENCODING": encoding}
    line = ("--simulator", "card.json", "--lang", lang)
    read = (*line, "read", "basic-four", "--secrets", given)
    people = process(*read, env=environment, cwd=tmp_path)
    assert people.returncode == 0
    shown = people.stdout.decode(encoding)
    geta = "〓" if encoding == "cp932" else "?"
    assert f"{geta}野　{geta}" in shown if encoding == "cp932" else f"{geta * 4}" in shown
    assert geta in people.stderr.decode(encoding)
    machine = process(*read, "--json", env=environment, cwd=tmp_path)
    assert json.loads(machine.stdout.decode(encoding))["name"] == NAME
    wrong = process(*line, "verify", "pdf", "鷗.pdf", env=environment, cwd=tmp_path)
    assert wrong.returncode == 10
    for run in (people, machine, wrong):
        assert b"Traceback" not in run.stderr
        run.stderr.decode(encoding)
