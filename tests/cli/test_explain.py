"""``--explain``: what a command says it would open is what it opens, no more and no less."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cli.commandline import Cli, Run
from cli.counter import KEYS as OWNER
from cli.counter import PASSPHRASE, SLOT_PIN, TOWN, WITH_PIN, Counter
from cli.test_help import LEAVES
from kojin_card import messages
from kojin_card.cli.explain import FREE_AREA, OPERATIONS, Action, Plan, Step
from kojin_card.cli.framework import KojinCommand
from kojin_card.spec import load_card_spec
from kojin_card.testing.documents import blank_pdf

Card = Callable[..., Path]
NUMBER = "123456789018"
B = {"code-b": "02080320364271"}
GATE, KIOSK = (
    f"--terminal {name}.cert --terminal-key {name}.pem --owners owners.toml --status cards.toml"
    for name in ("gate", "kiosk")
)
BY = "--keys city.keys --legal-basis x --yes"
TAKE = "--keys town.keys --legal-basis x --yes --owners owners.toml --ledger ledger"
SIGN, AUTH = {"sign-password": "ABC123"}, {"auth-pin": "1234"}


@dataclass(frozen=True)
class Case:
    """A line, with what is on the card so that every step is taken that is not for special cases.

    Attributes:
        area: a card of :mod:`cli.counter`, with something in its free area.
    """

    line: str
    secrets: Mapping[str, str] = field(default_factory=dict)
    tries: Mapping[str, int] = field(default_factory=dict)
    exit: int = 0
    persona: str = "adult"
    area: str = ""


def laid(case: Case, card: Card, counter: Counter) -> Path:
    """The card of a case: a new one of the persona, or one of the counter's (``area``)."""
    if not case.area:
        return card(case.persona, tries=case.tries)
    path = counter.folder / "laid.json"
    path.write_bytes((counter.folder / f"{case.area}.json").read_bytes())
    return path


#: every command that opens a card, with each of its options that changes what is opened
ISSUER = {"new-issuer-passphrase": PASSPHRASE}
CASES = [
    Case("info"),
    Case("doctor"),
    Case("doctor", tries={"jpki/auth_pin": 0}, exit=5),
    Case("doctor", persona="licence_holder"),
    Case("check", exit=21),
    Case("check", {"pin": "5678", **B}),
    Case("check --by pin", {"pin": "5678"}),
    Case("check --by pin --by code-b", {"pin": "5678", **B}),
    Case("check --by code-a", {"code-a": NUMBER}),
    Case("read basic-four", {"pin": "5678"}),
    Case("read basic-four", B),
    Case("read basic-four --by pin", {"pin": "5678"}),
    Case("read basic-four --secure-messaging", {"pin": "5678"}),
    Case("read my-number --duty tax --secure-messaging", {"pin": "5678"}),
    Case("read basic-four --by code-b", B),
    Case("read my-number --duty tax", {"pin": "5678"}),
    Case("read my-number --duty tax --by code-a -o number.txt", {"code-a": NUMBER}),
    Case("read face", B),
    Case("read face --by code-a -o face --sheet s.png --html f.html", {"code-a": NUMBER}),
    Case("read face --my-number-image --duty tax -o face", {"code-a": NUMBER}),
    Case("read age --at-least 20", {"birth-code": "020803"}),
    Case("read basic-four --fast", {"pin": "5678"}),
    Case("read my-number --duty tax --fast", {"pin": "5678"}),
    Case("read face --fast", B),
    Case("read age --at-least 20 --fast", {"birth-code": "020803"}),
    Case("read licence -o photo.jp2", {"licence-pin": "2468"}, exit=21, persona="licence_holder"),
    Case("pin status"),
    Case("pin status", persona="licence_holder"),
    Case("pin status", tries={"jpki/auth_pin": 0}),
    Case("pin change sign", {**SIGN, "new-sign-password": "XYZ789"}),
    Case("pin change sign", {**SIGN, "new-sign-password": "XYZ789"}, {"jpki/sign_password": 0}, exit=5),
    Case("pin change auth", {**AUTH, "new-auth-pin": "4826"}),
    Case("pin change text", {"pin": "5678", "new-pin": "4826"}),
    Case("pin change registry", {"registry-pin": "9012", "new-registry-pin": "4826"}),
    *(Case(f"cert show {role}", SIGN) for role in ("auth", "sign", "auth-ca", "sign-ca")),
    *(Case(f"cert export {role} -o out", SIGN) for role in ("auth", "sign", "auth-ca", "sign-ca")),
    *(Case(f"cert status {role}", SIGN, exit=21) for role in ("auth", "sign", "auth-ca", "sign-ca")),
    Case("cert show sign", SIGN, {"jpki/sign_password": 0}, exit=5),
    Case("sign raw in.pdf -o out", SIGN),
    Case("sign raw in.pdf -o out --key auth", AUTH),
    Case("sign cms in.pdf -o out", SIGN),
    Case("sign cms in.pdf -o out --include-issuer", SIGN),
    Case("sign pdf in.pdf -o out", SIGN),
    Case("sign xml in.xml -o out --attach a.txt=in.pdf --form egov", SIGN),
    Case("auth respond challenge.json -o out", AUTH),
    Case("slot list", area="both"),
    Case("slot list --keys city.keys", OWNER, area="card"),
    Case("slot list --trial-keys", area="card"),
    Case(f"slot show {GATE}", area="card"),
    Case(f"slot show {KIOSK}", {"slot-pin": SLOT_PIN}, area="both"),
    Case("slot show --owners owners.toml", {"slot-pin": SLOT_PIN}, area="seal", exit=21),
    Case(f"slot issue facility {BY} --fields library.toml", OWNER, area="room"),
    Case(f"slot issue facility {BY} --fields library.toml --dry-run", OWNER, area="room"),
    Case(f"slot issue seal_registration {BY} --fields part.toml --from-card", WITH_PIN, area="room"),
    Case("slot update --keys city.keys --yes --field category=student", OWNER, area="card"),
    Case("slot suspend --keys city.keys --yes", OWNER, area="card"),
    Case("slot suspend --keys city.keys --dry-run", OWNER, area="card"),
    Case("slot resume --keys city.keys --yes", OWNER, area="stopped"),
    Case("slot delete --keys city.keys --yes", OWNER, area="card"),
    Case("slot unblock --keys city.keys --yes", {**OWNER, "new-slot-pin": "1357"}, area="seal"),
    Case(f"slot move --keys city.keys --yes --to {TOWN} --ledger ledger -o hand-over", OWNER, area="card"),
    Case(f"slot move {TAKE} --take-over moved --fields library.toml", OWNER, area="moved"),
    Case("slot-issuer rotate --keys next.keys --yes", OWNER, area="card"),
    Case("slot-issuer rotate --keys issuer.keys --trial-keys --yes", ISSUER, area="card"),
    Case(f"slot-issuer join --keys city.keys --yes --partner {TOWN} --owners owners.toml", OWNER, area="card"),
    Case("slot-owner create --trial-keys --keys city.keys --yes", OWNER, area="bare"),
    Case(f"slot-owner quota --trial-keys --owner {TOWN} --quota 4096 --yes", area="card"),
    Case(f"slot-owner delete --trial-keys --owner {TOWN} --yes", area="card"),
]
NAMES = [f"{case.line}{' ...' if case.tries else ''} {case.persona} {'/'.join(case.secrets)}" for case in CASES]


def path_of(line: str) -> str:
    """``read.face`` of a line."""
    words = line.split()
    return ".".join(words[:1] if words[0] in ("info", "doctor", "check") else words[:2])


def steps_of(run: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run.json("explained")["steps"]
    return found


def unplanned(operation: str, plan: list[dict[str, Any]]) -> bool:
    """Whether no step of the plan stands for the operation."""
    for step in plan:
        for one in step["one_of"]:
            if operation == f"select {one['application']}":
                return False
            if one["application"] == "free_area" and operation in FREE_AREA[one["id"]].operations:
                return False
            if step["action"] == "secure" and operation == f"secure messaging with {one['application']}":
                return False
            place = f"{one['application']}/{one['id']}"
            if operation in {f"{word} {place}" for word in OPERATIONS[Action(step["action"])]}:
                return False
    return True


def untaken(step: dict[str, Any], seen: set[str]) -> bool:
    """Whether nothing that was sent is what the step is about (a look at the counter before is not)."""
    words = OPERATIONS[Action(step["action"])]
    essential = words[-1:] if step["action"] in ("verify", "change") else words
    if step["action"] == "manage":
        return not any(seen & set(FREE_AREA[one["id"]].operations) for one in step["one_of"])
    places = [f"{one['application']}/{one['id']}" for one in step["one_of"]]
    return not any(f"{word} {place}" in seen for word in essential for place in places)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_plan_is_what_is_done(cli: Cli, card: Card, counter: Counter, tmp_path: Path, case: Case) -> None:
    (tmp_path / "in.pdf").write_bytes(blank_pdf(["x"]))
    (tmp_path / "in.xml").write_text('<a><b Id="ApplData"/></a>')
    cli("auth", "challenge", "--audience", "a", "--purpose", "p", "-o", "challenge.json")
    path = laid(case, card, counter)
    before = {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()}
    told = cli(*case.line.split(), "--explain", "--json", "--simulator", path)
    assert told.exit == 0
    assert {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()} == before
    plan = steps_of(told)
    run = cli("--simulator", path, *case.line.split(), "-v", secrets=case.secrets or None)
    assert run.exit == case.exit
    sent = re.findall(r"^\[\d+\] ([^:]+):", run.err, re.MULTILINE)
    assert sent
    assert not [operation for operation in sent if unplanned(operation, plan)]
    if case.exit in (0, 21):
        assert not [step for step in plan if step["when"] is None and untaken(step, set(sent))]
    for step in plan:  # of several secrets one
        taken = {place for one in step["one_of"] if f"verify {(place := one['application'] + '/' + one['id'])}" in sent}
        assert len(taken) <= 1
    made = {str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file() and one not in before}
    files = {one["file"] for one in told.json("explained")["files"]}
    assert made - {"given.secrets", "ledger", "ledger.lock"} == (files if case.exit in (0, 21) else set())
    written = path.read_bytes() != before[path]
    assert written == (told.json("explained")["writes_to_card"] and case.exit in (0, 21))


@pytest.fixture
def inputs(cli: Cli, counter: Counter, tmp_path: Path) -> None:
    """The files that the cases name."""
    (tmp_path / "in.pdf").write_bytes(blank_pdf(["x"]))
    (tmp_path / "in.xml").write_text('<a><b Id="ApplData"/></a>')
    cli("auth", "challenge", "--audience", "a", "--purpose", "p", "-o", "challenge.json")


@pytest.mark.usefixtures("inputs")
def test_private_files_are_said_to_be(cli: Cli) -> None:
    for case in CASES:
        told = cli(*case.line.split(), "--explain", "--json").json("explained")
        private = {one["file"] for one in told["files"] if one["private"]}
        assert ("number.txt" in private) == ("number.txt" in case.line)
        assert all(file in private for file in ("s.png", "f.html") if file in case.line)


def test_every_command_that_opens_a_card_has_a_plan_and_a_case() -> None:
    """Commands import the card through their session, so whoever calls ``session.card`` is one of them."""
    import ast
    import inspect

    planned = {command.path for _, command in LEAVES if isinstance(command, KojinCommand) and command.plan is not None}
    opening = set()
    for _, command in LEAVES:
        assert isinstance(command, KojinCommand)
        module = ast.parse(Path(inspect.getfile(command._run)).read_text("utf-8"))
        functions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
        todo, reached = [command._run.__name__], set()
        while todo:
            name = todo.pop()
            if name in reached or name not in functions:
                continue
            reached.add(name)
            for node in ast.walk(functions[name]):
                todo += [node.id] if isinstance(node, ast.Name) else []
                if isinstance(node, ast.Attribute) and node.attr == "card":
                    opening.add(command.path)
    assert opening
    assert opening - planned == set(), "a command opens a card and has no plan: give @command one (cli/explain.py)"
    assert {path_of(case.line) for case in CASES} == planned, "a command has no case here"


def test_whoever_plans_offers_it() -> None:
    for _, command in LEAVES:
        assert isinstance(command, KojinCommand)
        offered = any("--explain" in param.opts for param in command.params)
        assert offered == (command.plan is not None), command.path


@pytest.mark.parametrize("lang", messages.LANGUAGES)
@pytest.mark.parametrize("case", CASES, ids=NAMES)
@pytest.mark.usefixtures("inputs")
def test_it_is_said_in_words_from_the_specs(cli: Cli, case: Case, lang: str) -> None:
    """Without a card: nothing is opened, nothing asked for, and a terminal would be told of the prompt's own look."""
    run = cli(*case.line.split(), "--explain", "--lang", lang)
    assert run.exit == 0
    assert run.err == ""
    plan = steps_of(cli(*case.line.split(), "--explain", "--json", "--lang", lang))
    spec = load_card_spec()
    shown = "".join(run.out.split())
    for one in (thing for step in plan for thing in step["one_of"]):
        if one["application"] == "free_area":
            assert one["name"] == messages.text(f"slots.place.{one['id']}", lang)
            assert "".join(str(one["name"]).split()) in shown
            continue
        application = spec[one["application"]]
        thing = application.files.get(one["id"]) or application.objects.get(one["id"]) or application.keys[one["id"]]
        assert one["name"] == (thing.name_ja if lang == "ja" else thing.name_en)
        assert "".join(str(one["name"]).split()) in shown
    asks = any(step["action"] in ("verify", "change") or step["one_of"][0]["id"] == "verify_slot_pin" for step in plan)
    assert asks == any(step["one_of"][0]["id"] == "card_information" and step["when"] for step in plan)
    assert (messages.text("explain.spends_none", lang) in run.out) == (not asks)


@pytest.mark.usefixtures("inputs")
def test_rules_are_those_of_the_specs(cli: Cli) -> None:
    steps = steps_of(cli("read", "basic-four", "--fast", "--explain", "--json", "--simulator", "none.json"))
    assert [step["action"] for step in steps] == ["verify", "read"]
    assert [one["secret"] for one in steps[0]["one_of"]] == ["pin", "code-b"]
    assert [one["tries"] for one in steps[0]["one_of"]] == [3, 10]
    assert steps[1]["one_of"][0]["rule"] == "key:pin | key:code_b"
    free = steps_of(cli("info", "--explain", "--json"))
    assert {one["rule"] for step in free for one in step["one_of"]} == {"always"}
    key = steps_of(cli("sign", "raw", "in.pdf", "-o", "y", "--explain", "--json", "--simulator", "none.json"))[-1]
    assert (key["action"], key["one_of"][0]["rule"]) == ("use", "key:sign_password")


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_each_alternative_has_a_line(cli: Cli, lang: str) -> None:
    def label(name: str) -> str:
        return f"   {messages.text(f'explain.label.{name}', lang)}: "

    spec, name = load_card_spec()["input_support"], "name_ja" if lang == "ja" else "name_en"
    pin, code = (getattr(spec.keys[key], name) for key in ("pin", "code_b"))
    lines = cli(
        "read", "basic-four", "--fast", "--explain", "--plain", "--lang", lang, "--simulator", "none.json"
    ).out.splitlines()
    assert f"{label('rule')}{pin}" in lines
    assert lines.count(f"{label('or')}{code}") == 2  # what is verified, and what opens the items
    assert sum(line.startswith(label("secret")) for line in lines) == 2


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_a_certificate_that_a_phone_closes_is_not_called_open(cli: Cli, lang: str) -> None:
    shown = cli("cert", "show", "auth", "--explain", "--plain", "--lang", lang, "--simulator", "none.json").out
    assert messages.text("explain.rule.unless_asked", lang) in shown
    always = f"   {messages.text('explain.label.rule', lang)}: {messages.text('explain.rule.always', lang)}"
    assert shown.splitlines().count(always) == 2  # which certificates there are, and what kind of token it is
    other = cli("cert", "show", "auth-ca", "--explain", "--plain", "--lang", lang, "--simulator", "none.json").out
    assert messages.text("explain.rule.unless_asked", lang) not in other


def test_a_line_that_cannot_be_carried_out_is_not_explained(cli: Cli) -> None:
    assert cli("read", "my-number", "--explain").exit == 2
    assert cli("read", "face", "--my-number-image", "--by", "code-b", "--explain").exit == 2
    assert cli("read", "basic-four", "--secure-messaging", "--by", "code-b", "--explain").exit == 2
    assert cli("verify", "pdf", "x", "--explain").exit == 2  # opens no card


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize(
    ("line", "exit_code"),
    [
        ("sign raw none -o out", 10),
        ("sign cms none -o out", 10),
        ("sign pdf . -o out", 10),
        ("sign pdf in.pdf -o out --name-file none", 10),
        ("auth respond none", 10),
        ("read licence --issuer-key none", 10),
        ("read licence -o in.pdf", 2),
        ("sign pdf in.pdf -o challenge.json", 2),
        ("sign pdf in.pdf -o no/folder", 10),
        ("cert export auth -o in.pdf", 2),
    ],
)
def test_a_file_that_the_run_would_refuse_is_refused(cli: Cli, card: Card, line: str, exit_code: int) -> None:
    path = card("licence_holder")
    real = cli("--simulator", path, *line.split(), "--json", secrets={**SIGN, **AUTH, "licence-pin": "2468"})
    told = cli("--simulator", path, *line.split(), "--json", "--explain")
    assert (real.exit, told.exit) == (exit_code, exit_code)
    assert told.error()["code"] == real.error()["code"]
    assert cli("sign", "raw", "-", "-o", "-", "--explain").exit == 0


def test_the_last_try_is_said_to_be_spent(cli: Cli) -> None:
    with_it = cli("read", "basic-four", "--last-try", "--explain", "--lang", "en").out
    assert "even with one left" in " ".join(with_it.split())
    assert "with one left nothing is sent" in " ".join(
        cli("read", "basic-four", "--explain", "--lang", "en").out.split()
    )


def test_plans_that_do_not_hold_are_noticed() -> None:
    """The comparison itself: a plan too small and a plan too large."""
    plan = [{"action": "read", "one_of": [{"application": "jpki", "id": "token_information"}], "when": None}]
    assert not unplanned("select jpki", plan)
    assert not unplanned("read jpki/token_information", plan)
    assert unplanned("select common", plan)
    assert unplanned("read jpki/auth_certificate", plan)
    assert unplanned("verify jpki/auth_pin", plan)
    assert untaken(plan[0], {"select jpki"})
    assert not untaken(plan[0], {"read jpki/token_information"})


@pytest.mark.usefixtures("inputs")
def test_every_place_that_a_plan_names_is_in_the_specs(cli: Cli) -> None:
    spec = load_card_spec()
    for case in CASES:
        for step in steps_of(cli(*case.line.split(), "--explain", "--json")):
            for one in step["one_of"]:
                if one["application"] == "free_area":
                    assert one["id"] in FREE_AREA
                    continue
                application = spec[one["application"]]
                assert one["id"] in {*application.files, *application.keys, *application.objects}
    assert Plan((Step(Action.READ, ("a/b",)),)).writing(None, "-", "x").files[0].file == "x"
