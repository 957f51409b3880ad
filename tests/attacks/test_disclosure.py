"""Nothing of the holder in errors, their causes and contexts, nor in what common tools make of a verdict."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import re
import traceback
from collections.abc import Callable, Iterator

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from attacks.forge import PERSON, Cms, certificate, changed, tlv, verifier
from attacks.test_pdf import dictionary, plain, second, signed, updated
from kojin_card.authn import AuthenticationProof, Challenge
from kojin_card.errors import KojinError
from kojin_card.pki import der, names
from kojin_card.pki.attributes import read_attributes
from kojin_card.pki.certificate import Certificate
from kojin_card.verdict import Check, CheckId, CheckState, Indication
from kojin_card.verification import Holder

#: in text, and as bytes are shown
PLANTED = [
    PERSON.name, PERSON.address, PERSON.name[:2], PERSON.address[:3], repr(PERSON.name.encode())[2:14],
    "1984", "840709", "0709", "19840799", "20300799", "300799", "Planted",
]  # fmt: skip


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error, its causes and contexts, and theirs."""
    queue: list[BaseException | None] = [error]
    seen: set[int] = set()
    while queue:
        one = queue.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            queue += [one.__cause__, one.__context__]


def shown(error: BaseException) -> str:
    parts = traceback.format_exception_only(error)
    for one in chain(error):
        parts += [str(one), repr(one), repr(one.args), repr(vars(one))]
        parts += [repr(getattr(one, name, "")) for name in ("object", "doc", "details", "message")]
    return "\n".join(parts)


def swapped(old: bytes, new: bytes) -> bytes:
    data = certificate()
    assert len(old) == len(new)
    assert old in data
    return data.replace(old, new)


def _birthday(month_and_day: bytes) -> bytes:
    found = re.search(rb"\x17\x0d\d{12}Z\x17\x0d(\d{12})Z", certificate())
    assert found is not None
    return swapped(found[1], found[1][:2] + month_and_day + found[1][6:])


NAME, ADDRESS = PERSON.name.encode(), PERSON.address.encode()
PLACES: dict[str, Callable[[], object]] = {
    "a name that is not UTF-8": lambda: swapped(NAME, NAME[:-1] + b"\xff"),
    "an address that is not UTF-8": lambda: swapped(ADDRESS, b"\xff" + ADDRESS[1:]),
    "no such date of birth": lambda: swapped(b"319840709", b"319840799"),
    "a date of birth with letters": lambda: swapped(b"319840709", b"319840x99"),
    "an end of validity that is no day": lambda: _birthday(b"0799"),
    "an end of validity with letters": lambda: _birthday(b"07x9"),
    "an end of validity that is not ASCII": lambda: _birthday(b"07\xff9"),
    "flags that do not fit": lambda: swapped(tlv(0x0C, b"01000"), tlv(0x0C, b"01009")),
}


@pytest.mark.attack("A-40", None, "a typed error that holds nothing of it")
@pytest.mark.parametrize("what", PLACES)
def test_no_error_holds_what_it_could_not_read(what: str) -> None:
    data = PLACES[what]()
    assert isinstance(data, bytes)
    with pytest.raises(KojinError) as caught:
        read_attributes(Certificate.parse(data))
    assert list(chain(caught.value)) == [caught.value]
    text = shown(caught.value)
    assert not [planted for planted in PLANTED if planted in text]


NAMES: dict[str, Callable[[], object]] = {
    "a name that is not UTF-8": lambda: names.attributes(
        tlv(0x30, tlv(0x31, tlv(0x30, bytes.fromhex("0603550403"), tlv(0x0C, b"Planted\xff"))))
    ),
    "a printable string that is not ASCII": lambda: names.text(
        tlv(0x30, tlv(0x31, tlv(0x30, bytes.fromhex("0603550403"), tlv(0x13, b"Planted\x80"))))
    ),
    "a challenge that is not JSON": lambda: Challenge.from_json('{"Planted": '),
    "a challenge that is not UTF-8": lambda: Challenge.from_json(b"Planted\xff"),
    "a proof that is not base64": lambda: AuthenticationProof.parse("Planted.Plante.x"),
    "a proof with a header that is not JSON": lambda: AuthenticationProof.parse("UGxhbnRlZA.UGxhbnRlZA.x"),
    "a time": lambda: der.time(der.Element(der.GENERALIZED_TIME, b"20300799145959Z", b"")),
}


@pytest.mark.attack("A-40", None, "a typed error that holds nothing of it")
@pytest.mark.parametrize("what", NAMES)
def test_no_error_of_a_decoder_does(what: str) -> None:
    with pytest.raises(KojinError) as caught:
        NAMES[what]()
    assert list(chain(caught.value)) == [caught.value]
    assert not [planted for planted in PLANTED if planted in shown(caught.value)]


# --- the holder -------------------------------------------------------------------------------------------------------


@pytest.mark.attack("A-40", "a verdict that a program logs or unfolds", "no holder in it")
def test_what_tools_make_of_a_verdict_shows_no_holder() -> None:
    verdict = verifier().verify_cms(Cms().build(), disclose=True).require()
    assert isinstance(verdict.holder, Holder)
    unfolded = dataclasses.asdict(verdict)
    told = [
        json.dumps(unfolded, default=str, ensure_ascii=False),
        json.dumps(dataclasses.astuple(verdict), default=str, ensure_ascii=False),
        repr(unfolded),
        f"{verdict}{verdict.holder}{verdict.holder!r}{[verdict.holder]}",
    ]
    for text in told:
        assert not [planted for planted in (PERSON.name, PERSON.address, "19840709", "1984-07-09") if planted in text]
    assert not dataclasses.is_dataclass(verdict.holder)
    with pytest.raises(TypeError):
        vars(verdict.holder)
    with pytest.raises(TypeError):
        json.dumps(verdict.holder)


def test_a_holder_is_a_value() -> None:
    one, two = (Holder.of(Certificate.parse(certificate())) for _ in range(2))
    other = Holder.of(Certificate.parse(changed(person=dataclasses.replace(PERSON, sex="1"))))
    assert isinstance(one, Holder)
    assert one == two
    assert hash(one) == hash(two)
    assert one != other
    assert one != "Holder(***)"
    assert copy.deepcopy(one) is copy.copy(one) is one
    with pytest.raises(AttributeError):
        one.name = "x"
    with pytest.raises(AttributeError):
        del one.name
    with pytest.raises(TypeError, match="personal"):
        pickle.dumps(one)
    assert one.name == PERSON.name


# --- truth ------------------------------------------------------------------------------------------------------------


def test_nothing_of_a_verdict_has_a_truth_value() -> None:
    """``if verdict.indication:`` was always true."""
    verdict = verifier().verify_cms(b"")
    check = verdict.check(CheckId.SIGNATURE)
    for value in (verdict, verdict.indication, check, check.state, *Indication, *CheckState):
        with pytest.raises(TypeError, match="truth"):
            bool(value)
    assert Indication("TOTAL_PASSED") is Indication.TOTAL_PASSED
    assert Check.passed(CheckId.TIME) == Check.passed(CheckId.TIME) != Check.not_checked(CheckId.TIME)
    assert json.loads(json.dumps({"i": Indication.TOTAL_FAILED}))["i"] == "TOTAL_FAILED"
    assert copy.deepcopy(check) == check
    assert sorted(CheckState)[0] == CheckState.FAILED
    assert str(Indication.TOTAL_FAILED) == f"{Indication.TOTAL_FAILED}" == "TOTAL_FAILED"


def test_parts_of_a_pdf_disclose_nobody_when_the_document_failed() -> None:
    """Each signature is good, and something is hidden that neither of them shows: the document is not accepted."""
    good = second(signed(plain(), "First"))
    assert [part.holder is None for part in verifier().verify_pdf(good, disclose=True).parts] == [False, False]

    def hide(writer: IncrementalPdfFileWriter) -> None:
        numbers = generic.ArrayObject(generic.NumberObject(number) for number in (0, 9, 20, 30))
        writer.add_object(dictionary(ByteRange=numbers))

    verdict = verifier().verify_pdf(second(signed(updated(plain(), hide), "First")), disclose=True)
    assert verdict.reasons == ("coverage.hidden",)
    assert [part.holder for part in verdict.parts] == [None, None]
