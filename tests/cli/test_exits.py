"""One exit code for each class of failure; the worst of several."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kojin_card import errors
from kojin_card.cli import problems
from kojin_card.cli.exits import BY_CODE, Exit, exit_of, known_code, worst
from kojin_card.spec.service_field import FieldError
from kojin_card.verdict import Check, CheckId, TimeBasis, Verdict

#: ARCHITECTURE §7, typed from there
CONTRACT: list[tuple[type[errors.KojinError], int]] = [
    (errors.KojinError, 1),
    (problems.DemoFailed, 1),
    (errors.UsageError, 2),
    (errors.SecretFormatError, 2),
    (errors.SecretUnavailable, 2),
    (problems.OutputExists, 2),
    (errors.NoReader, 3),
    (errors.NotServed, 3),
    (errors.NoCard, 3),
    (errors.WrongCard, 3),
    (errors.AmbiguousCard, 3),
    (errors.PinRejected, 4),
    (errors.PinBlocked, 5),
    (errors.PinReserve, 6),
    (errors.AccessDenied, 7),
    (errors.NotOnCard, 8),
    (errors.CardError, 9),
    (errors.UnexpectedAnswer, 9),
    (errors.TransportError, 9),
    (errors.CardRemoved, 9),
    (errors.CardBusy, 9),
    (errors.CardReset, 9),
    (errors.CardFileBusy, 9),
    (errors.HalfChanged, 9),
    (errors.HalfChangedUnseen, 9),
    (errors.SignatureMismatch, 9),
    (errors.ReplayMismatch, 9),
    (errors.InputError, 10),
    (errors.SpecError, 10),
    (FieldError, 10),
    (errors.DecodeError, 10),
    (errors.TrustError, 10),
    (problems.OutputFailed, 10),
    (errors.MissingExtra, 11),
    (errors.NoService, 11),
    (errors.ServiceRefused, 11),
    (errors.VpcdUnreachable, 11),
    (errors.SecureMessagingError, 12),
    (errors.SecureChannelError, 12),
    (errors.WrongCardKeys, 12),
    (errors.HostRefused, 12),
    (errors.ChannelWait, 12),
    (errors.NoRoom, 13),
    (errors.PassphraseRejected, 4),
    (errors.NoToken, 10),
    (errors.TokenPinRejected, 4),
    (errors.TokenPinReserve, 6),
    (errors.TokenPinBlocked, 5),
    (errors.NoSlot, 8),
    (errors.NoDomain, 8),
    (errors.AmbiguousSlot, 2),
    (errors.SlotConflict, 9),
    (errors.TerminalRefused, 7),
    (errors.TerminalExpired, 7),
    (errors.KeyFileError, 10),
    (errors.HandOverRefused, 10),
    (errors.UnprovenRefused, 14),
    (errors.Cancelled, 130),
]


def made(kind: type[errors.KojinError]) -> errors.KojinError:
    arguments: dict[str, int] = {}
    if issubclass(kind, errors.CardError):
        arguments["sw"] = 0x6982
    if issubclass(kind, errors.PinRejected | errors.PinReserve):
        arguments["tries_left"] = 1
    return kind(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "code"), CONTRACT, ids=lambda value: getattr(value, "__name__", str(value)))
def test_each_class_of_failure_has_its_code(kind: type[errors.KojinError], code: int) -> None:
    assert exit_of(made(kind)) == code


def test_the_table_is_complete_both_ways() -> None:
    named = {kind.code for kind, _ in CONTRACT} | {"verdict", "not_genuine"}
    assert named == BY_CODE.keys()
    own = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type)
        and issubclass(kind, errors.KojinError)
        and not issubclass(kind, errors.VerdictError)  # their codes depend on the verdict
    }
    assert own <= {kind for kind, _ in CONTRACT}


def test_a_subclass_of_another_room_has_the_code_of_its_kind() -> None:
    class Special(errors.DecodeError):
        code = "special"

    assert known_code(Special()) == "malformed"
    assert exit_of(Special()) == 10


def test_what_is_not_ours_is_unexpected() -> None:
    assert exit_of(ValueError()) == 1


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        ((Check.passed(CheckId.DIGEST),), 0),
        ((Check.failed("digest.mismatch"),), 20),
        ((Check.failed("chain.no_issuer"),), 21),
        ((), 21),
    ],
)
def test_a_verdict_decides(checks: tuple[Check, ...], code: int) -> None:
    verdict = Verdict(
        "cms", "simulator", datetime.now(UTC), TimeBasis.NOW, checks, frozenset(check.id for check in checks)
    )
    assert exit_of(errors.VerdictError(verdict)) == code


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([0], 0), ([0, 21], 21), ([21, 20, 0], 20), ([10, 21], 10), ([10, 20], 20), ([9, 10], 9), ([], 0)],
)
def test_the_worst_of_several_wins(codes: list[int], expected: int) -> None:
    assert worst(codes) == expected


@given(st.lists(st.sampled_from(list(Exit)), min_size=1))
def test_nothing_good_hides_anything_bad(codes: list[Exit]) -> None:
    result = worst(codes)
    assert result in codes
    assert (result == 0) == (set(codes) == {Exit.OK})
    assert Exit.VERDICT_FAILED not in codes or result == 20


def test_the_guide_has_the_same_table() -> None:
    """docs/cli.md says of every error code which exit code it has."""
    rows = {}
    for line in (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[0].isdigit():
            rows.update(dict.fromkeys(re.findall(r"`(\w+)`", cells[2]), int(cells[0])))
    assert rows == {code: int(value) for code, value in BY_CODE.items()}
