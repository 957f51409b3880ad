"""``revocation add``, ``status`` and ``prune``, and what verdicts say of the lists that they rest on."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from attacks import forge
from cli.commandline import Cli
from kojin_card.simulator.testpki import RevokedEntry
from kojin_card.testing import verdict_document

HOUR = timedelta(hours=1)
KEPT = ("--revocation", "kept")
TRUST = ("--trust", "simulator")
MakeList = Callable[..., bytes]


@pytest.fixture
def crl() -> MakeList:
    now = datetime.now(UTC).replace(microsecond=0)

    def make(ago: timedelta = HOUR, *revoked: RevokedEntry, city: str = forge.CITY) -> bytes:
        return forge.crl(revoked, at=now - ago, city=city)

    return make


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    document = verdict_document("passed.cms", datetime.now(UTC) - timedelta(seconds=1))
    (tmp_path / "signed.p7s").write_bytes(document.data)
    return tmp_path / "signed.p7s"


def revoked(reason: str) -> RevokedEntry:
    return RevokedEntry(forge.SERIAL, datetime.now(UTC).replace(microsecond=0) - 5 * HOUR, reason)


def unscoped(data: bytes) -> bytes:
    drop = forge.edit_extensions(lambda items: [item for item in items if forge.oid("2.5.29.28") not in item])
    return forge.reforged(data, drop)


def test_a_folder_is_added_the_older_lists_first_and_each_refusal_says_why(
    cli: Cli, tmp_path: Path, crl: MakeList
) -> None:
    folder = tmp_path / "in"
    (folder / "below").mkdir(parents=True)
    (folder / "a-newest.crl").write_bytes(crl())
    (folder / "b-older.crl").write_bytes(crl(3 * HOUR, revoked("certificateHold")))
    (folder / "c-other.crl").write_bytes(crl(city=forge.OTHER_CITY))
    (folder / "d-rubbish.crl").write_bytes(b"rubbish")
    (folder / "e-delta.crl").write_bytes(
        forge.reforged(
            crl(),
            forge.edit_extensions(
                lambda items: [*items, forge.extension("2.5.29.27", b"\x02\x01\x01", critical=b"\x01\x01\xff")]
            ),
        )
    )
    (folder / ".hidden").write_bytes(b"rubbish")
    (folder / "below" / "f.crl").write_bytes(b"rubbish")
    run = cli("revocation", "add", "in", "missing.crl", *TRUST, *KEPT, "--json")
    assert run.exit == 10
    rows = {Path(one["source"]).name: one for one in run.json("revocation-added")["lists"]}
    assert set(rows) == {"a-newest.crl", "b-older.crl", "c-other.crl", "d-rubbish.crl", "e-delta.crl", "missing.crl"}
    assert {name for name, row in rows.items() if "error" in row} == {"d-rubbish.crl", "e-delta.crl", "missing.crl"}
    assert rows["a-newest.crl"]["carried"] == 1
    assert "delta" in rows["e-delta.crl"]["error"]["message"]
    found = cli("revocation", "status", *TRUST, *KEPT, "--json").json("revocation")
    assert (len(found["lists"]), found["stale"]) == (2, 0)
    assert sorted(one["carried"] for one in found["lists"]) == [0, 1]
    assert all(0 < one["age_seconds"] < 2 * 3600 for one in found["lists"])
    told = cli("revocation", "add", "in", *TRUST, "--revocation", "again", "--lang", "en")
    assert "Added: 3; refused: 2" in told.out
    assert "older lists have" in told.out


def test_a_folder_without_files_is_refused(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    run = cli("revocation", "add", "empty", *TRUST, *KEPT, "--lang", "ja")
    assert run.exit == 10
    assert "ファイルがありません" in run.err


def test_what_cannot_be_used_now_is_counted_and_the_exit_code_stays(cli: Cli, tmp_path: Path, crl: MakeList) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "old.crl").write_bytes(crl(30 * HOUR))
    run = cli("revocation", "status", *TRUST, *KEPT, "--json")
    assert (run.exit, run.json("revocation")["stale"]) == (0, 1)
    shown = cli("revocation", "status", *TRUST, *KEPT, "--lang", "ja").out
    assert "1 件のうち 1 件" in shown
    assert "発行から 30 時間" in shown
    assert "第2世代" in shown


def test_an_asserted_scope_is_shown_wherever_the_list_counts(
    cli: Cli, tmp_path: Path, crl: MakeList, signed: Path
) -> None:
    (tmp_path / "a.crl").write_bytes(unscoped(crl()))
    refused = cli("revocation", "add", "a.crl", *TRUST, *KEPT, "--lang", "ja")
    assert refused.exit == 10
    assert "どの市区町村" in refused.err
    assert "--for" in refused.err
    said = ("--for", "Tokyo-to/Kiyose-shi", "--asserted-by", "鈴木")
    assert cli("revocation", "add", "a.crl", *said, *TRUST, *KEPT).exit == 0
    status = cli("revocation", "status", *TRUST, *KEPT, "--lang", "ja").out
    assert "リスト自身ではなく、鈴木" in status
    run = cli("verify", "cms", signed, *TRUST, *KEPT, "--lang", "ja")
    assert run.exit == 0
    assert "鈴木" in run.out
    assert "の申告による" in run.out
    value = cli("verify", "cms", signed, *TRUST, *KEPT, "--json").json("verdicts")
    evidence = next(one for one in value["results"][0]["checks"] if one["id"] == "revocation")["evidence"]
    assert evidence["asserted_by"].startswith("鈴木, ")
    assert evidence["scope"] == "asserted"


@pytest.mark.parametrize(
    ("words", "exit"),
    [
        (("a.crl", "--for", "nowhere"), 10),
        (("a.crl", "a.crl", "--for", "Tokyo-to/Kiyose-shi"), 2),
        ((".", "--for", "Tokyo-to/Kiyose-shi"), 2),
        (("a.crl", "--asserted-by", "x"), 2),
        (("a.crl", "--for", "Tokyo-to/Kiyose-shi", "--asserted-by", "\u202ex"), 10),
    ],
)
def test_an_assertion_that_is_none_is_refused(
    cli: Cli, tmp_path: Path, crl: MakeList, words: tuple[str, ...], exit: int
) -> None:
    (tmp_path / "a.crl").write_bytes(unscoped(crl()))
    assert cli("revocation", "add", *words, *TRUST, *KEPT).exit == exit
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    ("reason", "ja", "en"),
    [
        ("certificateHold", "解除されることはありません", "never released"),
        ("affiliationChanged", "記載内容の変更", "has changed"),
        ("superseded", "証明書の更新", "new certificate"),
    ],
)
def test_a_revoked_certificate_says_its_reason(
    cli: Cli, tmp_path: Path, crl: MakeList, signed: Path, reason: str, ja: str, en: str
) -> None:
    (tmp_path / "a.crl").write_bytes(crl(HOUR, revoked(reason)))
    cli("revocation", "add", "a.crl", *TRUST, *KEPT)
    for lang, words in (("ja", ja), ("en", en)):
        run = cli("verify", "cms", signed, *TRUST, *KEPT, "--lang", lang)
        assert run.exit == 21
        assert words in run.out.replace("\n", "").replace("  ", "")
    earlier = (datetime.now(UTC) - 6 * HOUR).isoformat()
    passed = cli("verify", "cms", signed, "--received-at", earlier, *TRUST, *KEPT, "--lang", "ja")
    assert passed.exit == 0
    assert "に失効" in passed.out


def test_grace_waits_for_a_later_list(cli: Cli, tmp_path: Path, crl: MakeList, signed: Path) -> None:
    (tmp_path / "a.crl").write_bytes(crl())
    cli("revocation", "add", "a.crl", *TRUST, *KEPT)
    received = (datetime.now(UTC) - 3 * HOUR).isoformat()
    words = ("verify", "cms", signed, "--received-at", received, *TRUST, *KEPT)
    assert [cli(*words, "--grace", grace).exit for grace in ("90m", "3h", "1d")] == [0, 21, 21]
    assert "[revocation.grace]" in cli(*words, "--grace", "1d").out
    assert [cli(*words, "--grace", bad).exit for bad in ("1", "-1h", "h", "1w", "９h", "")] == [2] * 6


def test_superseded_lists_are_removed_unless_cited(cli: Cli, tmp_path: Path, crl: MakeList, signed: Path) -> None:
    for number, ago in enumerate((5, 3, 1)):
        (tmp_path / f"{number}.crl").write_bytes(crl(ago * HOUR, *[revoked("superseded")] * (number == 0)))
        cli("revocation", "add", f"{number}.crl", *TRUST, *KEPT)
    verdict = cli("verify", "cms", signed, *TRUST, *KEPT, "--json").out
    (tmp_path / "verdicts").mkdir()
    (tmp_path / "verdicts" / "one.json").write_text(verdict)
    assert cli("revocation", "prune", *KEPT).exit == 2
    assert cli("revocation", "prune", "--cited", "verdicts", "--none-cited", *KEPT).exit == 2
    assert cli("revocation", "prune", "--cited", "nowhere", *KEPT).exit == 10
    plan = cli("revocation", "prune", "--cited", "verdicts", "--dry-run", *KEPT, "--json").json("revocation-pruned")
    assert (len(plan["removed"]), len(plan["cited"]), len(plan["current"])) == (1, 1, 1)
    assert len(list((tmp_path / "kept" / "lists").iterdir())) == 3
    done = cli("revocation", "prune", "--cited", "verdicts", *KEPT, "--json").json("revocation-pruned")
    assert done == {**plan, "dry_run": False}
    assert {path.name for path in (tmp_path / "kept" / "lists").iterdir()} == {*plan["cited"], *plan["current"]}
    cited = json.loads(verdict)["results"][0]["evidence"]["revocation_source"].removeprefix("crl:")
    assert cited in plan["cited"][0]
    shown = cli("revocation", "prune", "--none-cited", *KEPT, "--lang", "en").out
    assert "Removed" in shown
    assert cited in shown
    assert cli("verify", "cms", signed, *TRUST, *KEPT).exit == 21  # what it said stays
