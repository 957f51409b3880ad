"""The folder that ``revocation add`` keeps: no revocation is lost in it, and no damage of it is ever good."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from attacks import forge
from attacks.forge import CITY, NOW, OTHER_CITY, SERIAL, Cms, crl, oid, verifier
from kojin_card.errors import InputError
from kojin_card.pki.certificate import Certificate
from kojin_card.pki.crl_index import CrlIndex, IndexCache
from kojin_card.pki.crl_store import Assertion, CrlFolder, CrlListing, add_crl, cited_in, list_crls, prune_lists
from kojin_card.pki.path import check_revocation
from kojin_card.pki.profile import Purpose, Store
from kojin_card.pki.revocation import RevocationAnswer, RevocationStatus, Unknown
from kojin_card.pki.trust import TrustStore
from kojin_card.simulator.testpki import RevokedEntry
from kojin_card.verdict import CheckId, Indication, SubIndication, Verdict

HOUR = timedelta(hours=1)
HELD = RevokedEntry(SERIAL, NOW - 60 * HOUR, "certificateHold")
SCOPE = "CN=Kiyose-shi CRLDP,OU=Tokyo-to,OU=CRL Distribution Points,OU=JPKI-SIMULATOR for digital signature"


def store() -> TrustStore:
    return TrustStore.load(Store.SIMULATOR)


def add(folder: Path, data: bytes, *, ago: timedelta = timedelta(), asserted: Assertion | None = None) -> CrlListing:
    return add_crl(folder, data, store(), now=NOW - ago, asserted=asserted)


def judge(folder: Path, **times: Any) -> Verdict:
    return verifier(CrlFolder(folder)).verify_cms(Cms().build(), **times)


def index_of(folder: Path) -> Path:
    (path,) = folder.glob("index/*.idx")
    return path


def unscoped(data: bytes) -> bytes:
    """The list without its issuingDistributionPoint, signed again."""
    drop = forge.edit_extensions(lambda items: [item for item in items if oid("2.5.29.28") not in item])
    return forge.reforged(data, drop)


# --- a revocation once seen stays -------------------------------------------------------------------------------------


def test_what_only_an_older_list_said_stays_when_a_newer_takes_its_place(tmp_path: Path) -> None:
    old = crl([HELD], at=NOW - 50 * HOUR)
    add(tmp_path, old, ago=49 * HOUR)
    add(tmp_path, crl(at=NOW - 25 * HOUR), ago=24 * HOUR)
    listed = add(tmp_path, crl())
    assert (listed.entries, listed.carried) == (0, 1)
    assert list_crls(tmp_path, store(), now=NOW) == (listed,)
    verdict = judge(tmp_path)
    assert (verdict.indication, verdict.sub_indication) == (Indication.INDETERMINATE, SubIndication.REVOKED_NO_POE)
    evidence = verdict.check(CheckId.REVOCATION).evidence
    assert (evidence["revocation_reason"], evidence["revoked_at"]) == ("certificateHold", "2026-11-21T15:00:00Z")
    kept = tmp_path / "lists" / f"{index_of(tmp_path).stem}-{evidence['source']}.crl"
    assert kept.read_bytes() == old  # the list that says so is the one that is cited


def test_the_newest_list_that_says_it_is_cited_and_the_earliest_date_counts(tmp_path: Path) -> None:
    add(tmp_path, crl([HELD], at=NOW - 50 * HOUR), ago=49 * HOUR)
    later = crl([RevokedEntry(SERIAL, NOW - 10 * HOUR, "keyCompromise")])
    add(tmp_path, later)
    evidence = judge(tmp_path).check(CheckId.REVOCATION).evidence
    assert (evidence["revocation_reason"], evidence["revoked_at"]) == ("keyCompromise", "2026-11-21T15:00:00Z")
    assert evidence["source"] == next(iter(list_crls(tmp_path, store(), now=NOW))).sha256


def test_the_folder_answers_as_loose_lists_do(tmp_path: Path) -> None:
    """At every hour of three days, asked now: an index and the loose lists that it was made of say the same."""
    lists = [crl([HELD], at=NOW - 50 * HOUR), crl(at=NOW - 26 * HOUR), crl()]
    loose = forge.folder(tmp_path, *lists)
    for data, ago in zip(lists, (49, 25, 0), strict=True):
        add(tmp_path / "store", data, ago=ago * HOUR)
    kept = CrlFolder(tmp_path / "store")
    anchor = next(one for one in store().anchors if one.name == "sim-signca02")
    said = set()
    for leaf in (forge.certificate(), forge.changed(not_after=NOW - 60 * HOUR), forge.changed(serial=SERIAL + 1)):
        parsed = Certificate.parse(leaf)
        for hours in range(80):
            at = NOW - hours * HOUR
            one, other = (source.status(parsed, anchor, at, now=NOW) for source in (loose, kept))
            assert one == other
            said.add((one.status, one.revoked_later_at is None))
    assert len(said) == 4


def test_receipt_before_a_revocation_says_that_it_came_later(tmp_path: Path) -> None:
    add(tmp_path, crl([HELD]))
    evidence = judge(tmp_path, received_at=NOW - 61 * HOUR).require().check(CheckId.REVOCATION).evidence
    assert (evidence["revoked_later_at"], evidence["revocation_reason"]) == ("2026-11-21T15:00:00Z", "certificateHold")
    assert "revoked_at" not in evidence


# --- damage -----------------------------------------------------------------------------------------------------------


def other_key(folder: Path) -> bytes:
    add(folder / "other", crl(generation=1, at=NOW - 2 * HOUR))
    return index_of(folder / "other").read_bytes()


def other_scope(folder: Path) -> bytes:
    add(folder / "other", crl(city=OTHER_CITY))
    return index_of(folder / "other").read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(other_key, id="of another generation of the CA"),
        pytest.param(other_scope, id="of another municipality"),
        pytest.param(lambda folder: index_of(folder).read_bytes()[:-1], id="cut by one byte"),
        pytest.param(lambda folder: index_of(folder).read_bytes()[:100], id="cut in its head"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: crl(), id="a list instead"),
        pytest.param(lambda folder: index_of(folder).read_bytes() + b"\x00", id="a byte too many"),
    ],
)
def test_an_index_that_is_not_what_it_should_be_is_never_good(tmp_path: Path, damage: Callable[[Path], bytes]) -> None:
    add(tmp_path, crl())
    source = CrlFolder(tmp_path)
    check = verifier(source)
    check.verify_cms(Cms().build()).require()
    bad, path = damage(tmp_path), index_of(tmp_path)
    path.unlink()
    path.write_bytes(bad)
    path.chmod(0o600)
    (tmp_path / "fresh.crl").write_bytes(crl())  # a good list beside it does not say what the index knew
    for judged in (check, verifier(CrlFolder(tmp_path))):
        assert judged.verify_cms(Cms().build()).reasons == ("revocation.unusable",)
    assert [one.problem for one in list_crls(tmp_path, store(), now=NOW)] == [
        "the index of this municipality is damaged",
        None,
    ]
    with pytest.raises(InputError, match="damaged"):
        add(tmp_path, crl(at=NOW - HOUR))


@pytest.mark.attack("A-20", "a byte of an index", "never good")
def test_no_byte_of_the_file_can_change_unseen(tmp_path: Path) -> None:
    """Also of the file that a source has open and has found good before."""
    add(tmp_path, crl([HELD]))
    path, source = index_of(tmp_path), CrlFolder(tmp_path)
    good = path.read_bytes()
    anchor = next(one for one in store().anchors if one.name == "sim-signca02")
    leaf = Certificate.parse(forge.certificate())
    for place in range(len(good)):
        assert source.status(leaf, anchor, NOW, now=NOW).status is RevocationStatus.REVOKED
        with path.open("r+b") as stream:
            stream.seek(place)
            stream.write(bytes((good[place] ^ 0x55,)))
        os.utime(path, ns=(place, place))
        assert source.status(leaf, anchor, NOW, now=NOW).why is Unknown.UNUSABLE
        path.write_bytes(good)
        os.utime(path, ns=(place, -place - 1))


@pytest.mark.attack("A-20", "an index that others may write", "never good")
def test_an_index_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    add(tmp_path, crl())
    index_of(tmp_path).chmod(0o646)
    assert judge(tmp_path).reasons == ("revocation.unusable",)
    told = "others may write the index of this municipality"  # no damage: what to do is another thing
    assert list_crls(tmp_path, store(), now=NOW)[0].problem == told
    with pytest.raises(InputError, match=told):
        add(tmp_path, crl(at=NOW))
    index_of(tmp_path).chmod(0o644)
    judge(tmp_path).require()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_no_index(tmp_path: Path, make: Callable[[Path], None]) -> None:
    add(tmp_path, crl())
    path = index_of(tmp_path)
    path.unlink()
    make(path)
    assert judge(tmp_path).reasons == ("revocation.unusable",)
    assert list_crls(tmp_path, store(), now=NOW)[0].problem == "the index of this municipality is damaged"


def test_an_index_that_was_deleted_is_made_again_of_the_lists_that_are_kept(tmp_path: Path) -> None:
    add(tmp_path, crl([HELD], at=NOW - 50 * HOUR), ago=49 * HOUR)
    add(tmp_path, crl(at=NOW - 5 * HOUR))
    index_of(tmp_path).unlink()
    assert judge(tmp_path).reasons == ("revocation.no_list",)
    (tmp_path / "lists" / f"{'0' * 16}-{'0' * 16}-{'0' * 64}.crl").write_bytes(b"rubbish")
    assert add(tmp_path, crl()).carried == 1
    assert judge(tmp_path).reasons == ("revocation.revoked",)


def test_two_lists_of_one_number_that_contradict_each_other(tmp_path: Path) -> None:
    clean, revoking = crl(), crl([HELD])
    add(tmp_path / "a", clean)
    with pytest.raises(InputError, match="not newer"):
        add(tmp_path / "a", revoking)
    add(tmp_path / "b", revoking)
    with pytest.raises(InputError, match="not newer"):
        add(tmp_path / "b", clean)
    assert judge(tmp_path / "b").reasons == ("revocation.revoked",)
    (tmp_path / "a" / "other.crl").write_bytes(revoking)  # whoever has both knows of the revocation
    assert judge(tmp_path / "a").reasons == ("revocation.revoked",)


# --- a scope that is asserted -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f"{SCOPE},O=JPKI-SIMULATOR,C=JP",
        ",".join(reversed(f"{SCOPE},O=JPKI-SIMULATOR,C=JP".split(","))),
        "Tokyo-to/Kiyose-shi",
    ],
)
def test_a_list_without_scope_counts_for_whom_the_operator_says_and_every_verdict_says_so(
    tmp_path: Path, text: str
) -> None:
    anchor = next(one for one in store().anchors if one.name == "sim-signca02")
    if "OU=" in text:  # the declared test PKI names its unit so
        text = text.replace("JPKI-SIMULATOR for digital signature", forge.pki().declaration.units[anchor.purpose].name)
    with pytest.raises(InputError, match="whose it is"):
        add(tmp_path, unscoped(crl()))
    listed = add(tmp_path, unscoped(crl()), asserted=Assertion(text, "Tanaka, desk 3"))
    assert (listed.municipality, listed.asserted_by) == (
        "Tokyo-to / Kiyose-shi",
        "Tanaka, desk 3, 2026-11-24T03:00:00Z",
    )
    evidence = judge(tmp_path).require().check(CheckId.REVOCATION).evidence
    assert (evidence["asserted_by"], evidence["scope"]) == ("Tanaka, desk 3, 2026-11-24T03:00:00Z", "asserted")


def test_a_revocation_by_an_asserted_list_says_so_too_and_others_do_not(tmp_path: Path) -> None:
    add(tmp_path, unscoped(crl([HELD], at=NOW - 30 * HOUR)), ago=29 * HOUR, asserted=Assertion("Tokyo-to/Kiyose-shi"))
    add(tmp_path, crl())
    evidence = judge(tmp_path).check(CheckId.REVOCATION).evidence
    assert evidence["asserted_by"] == "operator, 2026-11-22T22:00:00Z"
    before = judge(tmp_path, received_at=NOW - 61 * HOUR).require()
    assert "asserted_by" not in before.check(CheckId.REVOCATION).evidence  # silence of the list that says whose it is
    index_of(tmp_path).unlink()
    add(tmp_path, crl(at=NOW - HOUR))
    assert judge(tmp_path).check(CheckId.REVOCATION).evidence["asserted_by"] == "operator, at an unknown time"


@pytest.mark.parametrize(
    "text",
    [
        "Kiyose-shi",
        "Tokyo-to/",
        "a/b/c",
        "",
        "CN=Kiyose-shi CRLDP",
        "CN=Kiyose-shi CRLDP,OU=Tokyo-to,OU=CRL Distribution Points,OU=JPKI for digital signature,O=JPKI,C=JP",
        "=,=",
        "CN=\\",
    ],
)
def test_what_is_no_name_of_a_list_of_that_ca_is_not_asserted(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="municipality's list"):
        add(tmp_path, unscoped(crl()), asserted=Assertion(text))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("by", ["", "  ", "a\x1b[32m", "\u202eoperator", "x" * 200])
def test_who_asserts_has_a_name(tmp_path: Path, by: str) -> None:
    with pytest.raises(InputError, match="asserts"):
        add(tmp_path, unscoped(crl()), asserted=Assertion("Tokyo-to/Kiyose-shi", by))


def test_a_list_that_says_whose_it_is_is_not_somebody_elses_by_assertion(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="says itself"):
        add(tmp_path, crl(city=OTHER_CITY), asserted=Assertion("Tokyo-to/Kiyose-shi"))


def test_a_list_without_scope_says_nothing_unless_it_was_added(tmp_path: Path) -> None:
    assert judge_loose(tmp_path, unscoped(crl())).reasons == ("revocation.unusable",)


def judge_loose(folder: Path, data: bytes) -> Verdict:
    return verifier(forge.folder(folder, data)).verify_cms(Cms().build())


# --- grace ------------------------------------------------------------------------------------------------------------


def test_a_list_older_than_the_proof_is_said_and_grace_waits_for_a_later_one(tmp_path: Path) -> None:
    from kojin_card.verification import Verifier

    add(tmp_path, crl())  # of two hours ago
    patient = Verifier.for_store("simulator", CrlFolder(tmp_path), now=lambda: NOW, grace=HOUR)
    data = Cms().build()
    before = judge(tmp_path, received_at=NOW - HOUR).require().check(CheckId.REVOCATION).evidence
    assert before["list_before_proof"] == "true"
    waits = patient.verify_cms(data, received_at=NOW - 2 * HOUR)
    assert (waits.reasons, waits.sub_indication) == (("revocation.grace",), SubIndication.TRY_LATER)
    late = patient.verify_cms(data, received_at=NOW - 3 * HOUR).require().check(CheckId.REVOCATION).evidence
    assert "list_before_proof" not in late
    assert late["grace_seconds"] == "3600"
    assert patient.verify_cms(data).reasons == ("revocation.grace",)  # nothing proves when it existed


@pytest.mark.attack("A-20", "a revocation inside the time of grace", "revocation.revoked")
def test_grace_never_hides_a_revocation_and_wants_a_date() -> None:
    revoked = RevocationAnswer(RevocationStatus.REVOKED, revoked_at=NOW, this_update=NOW)
    assert check_revocation(revoked, proof=NOW, grace=HOUR).reason == "revocation.revoked"
    undated = RevocationAnswer(RevocationStatus.GOOD)
    assert check_revocation(undated, proof=NOW, grace=timedelta()).reason == "revocation.grace"


# --- others at the same time, and death -------------------------------------------------------------------------------


def test_readers_go_on_while_the_index_is_replaced(tmp_path: Path) -> None:
    """A certificate that every generation lists is revoked at every moment; one that none lists never is."""
    issued = [NOW - 120 * timedelta(minutes=1) + n * timedelta(minutes=2) for n in range(25)]
    lists = [crl([HELD], at=at, number=n + 1) for n, at in enumerate(issued)]
    add(tmp_path, lists[0])
    source, done = CrlFolder(tmp_path), threading.Event()
    anchor = next(one for one in store().anchors if one.name == "sim-signca02")
    revoked, clean = Certificate.parse(forge.certificate()), Certificate.parse(forge.changed(serial=SERIAL + 1))
    wrong: list[object] = []
    sources: set[str | None] = set()

    def read() -> None:
        while not done.is_set():
            one, other = (source.status(leaf, anchor, NOW, now=NOW) for leaf in (revoked, clean))
            sources.add(one.source)
            if (one.status, other.status) != (RevocationStatus.REVOKED, RevocationStatus.GOOD):
                wrong.append((one, other))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for data in lists[1:]:
        add(tmp_path, data)
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(sources) > 1
    assert source.status(revoked, anchor, NOW, now=NOW).number == 25


def test_two_who_add_at_once_lose_nothing(tmp_path: Path) -> None:
    serials = range(SERIAL + 100, SERIAL + 112)
    lists = [
        crl([RevokedEntry(serial, NOW - 5 * HOUR, None)], at=NOW - HOUR + n * timedelta(minutes=1), number=n + 1)
        for n, serial in enumerate(serials)
    ]
    refused: list[int] = []

    def put(numbers: list[int]) -> None:
        for number in numbers:
            try:
                add(tmp_path, lists[number])
            except InputError:
                refused.append(number)

    threads = [threading.Thread(target=put, args=([*range(first, 12, 3)],)) for first in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    index, _ = CrlIndex.open(index_of(tmp_path))
    for number, serial in enumerate(serials):
        assert (index.find(serial) is None) == (number in refused)
    assert index.lists == 12 - len(refused)


_KILLED = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from kojin_card.pki.crl_store import add_crl
from kojin_card.pki.trust import TrustStore

folder, data, moment, left = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes(), sys.argv[3], int(sys.argv[4])

def die(event, arguments):
    global left
    if event in ("open", "os.rename", "tempfile.mkstemp") and str(folder) in str(arguments[0]):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

store = TrustStore.load("simulator")
sys.addaudithook(die)
add_crl(folder, data, store, now=datetime.fromisoformat(moment))
"""


def test_killed_at_any_step_it_is_as_before_or_as_after(tmp_path: Path) -> None:
    """SIGKILL before each file that is opened, made or renamed."""
    (tmp_path / "new.crl").write_bytes(crl([HELD]))
    outcomes = []
    for step in range(1, 40):
        folder = tmp_path / str(step)
        add(folder, crl(at=NOW - 5 * HOUR))
        words = (str(folder), str(tmp_path / "new.crl"), NOW.isoformat(), str(step))
        done = subprocess.run([sys.executable, "-c", _KILLED, *words], check=False, capture_output=True, timeout=60)
        verdict = judge(folder)
        outcomes.append(verdict.indication is Indication.TOTAL_PASSED)
        assert verdict.reasons in ((), ("revocation.revoked",))
        assert [one.problem for one in list_crls(folder, store(), now=NOW)] == [None]
        assert add(folder, crl([HELD])).entries == 1  # nothing is locked, nothing in the way
        assert judge(folder).reasons == ("revocation.revoked",)
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
    assert outcomes == sorted(outcomes, reverse=True)  # as before, then as after
    assert outcomes[0] is True
    assert outcomes[-1] is False
    assert len(outcomes) > 5


# --- many municipalities ----------------------------------------------------------------------------------------------


def test_one_question_opens_one_index_however_many_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(tmp_path, crl())
    path = index_of(tmp_path)
    for number in range(500):
        (tmp_path / "index" / f"{number:016x}-{number:016x}.idx").write_bytes(b"")
    looked: list[Path] = []
    real = Path.stat

    def stat(self: Path, **options: bool) -> object:
        looked.append(self)
        return real(self, **options)

    monkeypatch.setattr(Path, "stat", stat)
    judge(tmp_path).require()
    assert [one for one in looked if tmp_path in one.parents] == [path]


def test_no_more_files_stay_open_than_the_limit_says(tmp_path: Path) -> None:
    add(tmp_path, crl())
    data, cache = index_of(tmp_path).read_bytes(), IndexCache(limit=3)
    paths = [tmp_path / f"{number}.idx" for number in range(9)]
    for path in paths:
        path.write_bytes(data)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in paths * 2:
        found = cache.get(path)
        assert found is not None
        del found
    assert len(list(Path("/proc/self/fd").iterdir())) - before <= 4


# --- throwing away ----------------------------------------------------------------------------------------------------


def test_superseded_lists_go_unless_a_verdict_cites_them(tmp_path: Path) -> None:
    folder, kept = tmp_path / "store", tmp_path / "verdicts" / "2026"
    add(folder, crl([HELD], at=NOW - 50 * HOUR), ago=49 * HOUR)
    first = judge(folder)  # by then the only list
    add(folder, crl(at=NOW - 26 * HOUR), ago=25 * HOUR)
    add(folder, crl(city=OTHER_CITY))
    add(folder, crl())
    kept.mkdir(parents=True)
    (kept / "verdict.json").write_text(
        f'{{"evidence": {{"revocation_source": "{first.evidence["revocation_source"]}"}}}}'
    )
    (folder / "index" / ".half.part").write_bytes(b"by somebody who was killed")
    before = sorted((folder / "lists").iterdir())
    plan = prune_lists(folder, cited_in(kept.parent), dry_run=True)
    assert (len(plan.removed), len(plan.cited), len(plan.current)) == (1, 1, 2)
    assert sorted((folder / "lists").iterdir()) == before
    assert (folder / "index" / ".half.part").exists()
    assert prune_lists(folder, cited_in(kept / "verdict.json")) == plan
    assert {path.name for path in (folder / "lists").iterdir()} == {*plan.cited, *plan.current}
    assert [path.suffix for path in (folder / "index").glob(".h*")] == []
    assert prune_lists(folder, ()).removed == plan.cited
    assert judge(folder).reasons == ("revocation.revoked",)  # what it said stays
    assert prune_lists(tmp_path / "none", ()).removed == ()


def test_a_list_whose_index_is_gone_or_damaged_is_not_thrown_away(tmp_path: Path) -> None:
    add(tmp_path, crl([HELD], at=NOW - 50 * HOUR), ago=49 * HOUR)
    add(tmp_path, crl())
    good = index_of(tmp_path).read_bytes()
    index_of(tmp_path).write_bytes(good[:-1] + b"\x00" if good[-1] else good[:-1] + b"\x01")
    assert prune_lists(tmp_path, ()).removed == ()
    index_of(tmp_path).unlink()
    assert prune_lists(tmp_path, ()).removed == ()


def test_where_no_verdict_is_kept_nothing_is_taken_for_cited(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    for path in (tmp_path, tmp_path / "a.json", tmp_path / "absent"):
        with pytest.raises(InputError):
            cited_in(path)


def test_a_digest_across_the_pieces_of_a_large_file_is_seen(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * ((1 << 20) - 10) + b'"' + b"AB" * 32 + b'"' + b"y" * 100)
    assert cited_in(tmp_path) == {"ab" * 32}


def test_the_purposes_and_generations_have_indexes_of_their_own(tmp_path: Path) -> None:
    add(tmp_path, crl([HELD], generation=1))
    add(tmp_path, crl([RevokedEntry(SERIAL, NOW - HOUR, None)], purpose=Purpose.AUTHENTICATION))
    add(tmp_path, crl())
    assert len(list_crls(tmp_path, store(), now=NOW)) == 3
    assert CITY == "13221"
    judge(tmp_path).require()
