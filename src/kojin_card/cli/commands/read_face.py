"""``read face``: what is printed on the card, as images and a few words; 個人番号 only when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kojin_card import messages
from kojin_card.cli import pictures
from kojin_card.cli.explain import keys_of, plan, verify
from kojin_card.cli.explain import read as read_steps
from kojin_card.cli.file_set import FileSet
from kojin_card.cli.framework import command, option, secret_options
from kojin_card.cli.printed import code_b, gives_code_b
from kojin_card.cli.proving import (
    authentic,
    authentic_lines,
    authentic_words,
    prover,
    proving_options,
    proving_steps,
)
from kojin_card.cli.render import Fields, Heading, Line, Role
from kojin_card.cli.wording import day, is_over, moment, sex
from kojin_card.errors import DecodeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kojin_card.applications import Face
    from kojin_card.cli.explain import Plan
    from kojin_card.cli.secret_sources import Secrets
    from kojin_card.cli.session import Session
    from kojin_card.verification.authenticity import RecordProver

_OPERATION = "read card_face/face"
_PHOTO, _PHOTO_PNG, _MY_NUMBER = "photo.jp2", "photo.png", "my-number.png"
#: every name that this command ever gives a file in its folder
NAMES = ("name.png", "address.png", "security-code.png", _PHOTO, _PHOTO_PNG, _MY_NUMBER)


def _way(by: str | None, *, my_number: bool) -> str | None:
    """What opens the face; 照合番号A opens the image of 個人番号 and so everything else too.

    Raises:
        UsageError: 照合番号B, and the image that it does not open.
    """
    if not my_number:
        return by
    if by == "code-b":
        raise UsageError("--my-number-image is opened by the verification number A only", operation=_OPERATION)
    return "code-a"


def _plan(given: Mapping[str, Any]) -> Plan:
    way = _way(given["by"], my_number=given["my_number_image"])
    number = read_steps("card_face/my_number_image") if given["my_number_image"] else ()
    made = plan(
        verify(*(f"card_face/{key}" for key in keys_of(way, "code-b", "code-a"))),
        read_steps("card_face/face"),
        number,
        proving_steps(given, "card_face/face"),
    )
    folder = given["output"]
    if folder is not None:
        photo = [_PHOTO, *([_PHOTO_PNG] if pictures.available() else [])]
        names = ["name.png", "address.png", "security-code.png", *photo, *([_MY_NUMBER] if number else [])]
        made = made.writing(*(str(folder / name) for name in names), private=True)
    others = (given["sheet"], given["html"])
    return made.writing(*(str(path) for path in others if path is not None), private=True)


@command(
    "read.face",
    option("--by", type=click.Choice(["code-b", "code-a"]), help="opened_by_face"),
    option("-o", "--output", metavar="FOLDER", type=click.Path(path_type=Path), help="output_face"),
    option("--sheet", metavar="FILE", type=click.Path(path_type=Path), help="sheet"),
    option("--html", metavar="FILE", type=click.Path(path_type=Path), help="html"),
    option("--my-number-image", is_flag=True, help="my_number_image"),
    option("--duty", metavar="TEXT", help="duty_image"),
    option("--force", is_flag=True, help="force_set"),
    *proving_options(),
    *secret_options(),
    plan=_plan,
)
def face(
    session: Session,
    by: str | None,
    output: Path | None,
    sheet: Path | None,
    html: Path | None,
    my_number_image: bool,
    duty: str | None,
    force: bool,
    trust: str | None,
    fast: bool,
    secrets: str | None,
    last_try: bool,
) -> None:
    """The card's face after 照合番号B or A; images into a folder, onto a sheet, into a page."""
    way = _way(by, my_number=my_number_image)
    stated = _duty(duty, output, my_number=my_number_image)
    results = FileSet(output, NAMES, [path for path in (sheet, html) if path is not None], force=force)
    results.check()
    if sheet is not None or html is not None:
        pictures.need()
    source = session.secrets(secrets)
    way = way or ("code-a" if _only_code_a(source) else "code-b")
    number: Any = source.at_hand("code-a") if way == "code-a" else code_b(session, source)
    prove = prover(session, trust, fast=fast)
    driver = session.card().card_face
    how: Any = {"reserve": 0 if last_try else 1, "prove": prove}
    found = driver.read_face(**{way.replace("-", "_"): number}, **how)
    own = None if stated is None else driver.read_my_number_image(number, duty=stated, **how).png
    contents: dict[Path, bytes] = {}
    if output is not None:
        contents |= {output / name: data for name, data in _images(session, found, own).items()}
    shown: dict[str, bytes] = {}
    if sheet is not None or html is not None:
        shown = _shown(found)
        if sheet is not None:
            contents[sheet] = _sheet(session, found, shown, proved=prove is not None)
        if html is not None:
            contents[html] = _page(session, found, shown, authentic_words(session, prove))
    if contents:
        results.write(contents)
    numbered = _legend(session, shown) if sheet is not None else []
    _answer(session, found, way, stated, [str(path) for path in contents], numbered, prove)


def _duty(duty: str | None, output: Path | None, *, my_number: bool) -> str | None:
    """The duty for which the image of 個人番号 is read; None when it is not.

    Raises:
        UsageError: one of the two without the other, or nowhere to put the image.
    """
    from kojin_card.applications.my_number import stated_duty

    if not my_number:
        if duty is not None:
            raise UsageError("--duty belongs to --my-number-image", operation=_OPERATION)
        return None
    if output is None:
        raise UsageError("--my-number-image needs a folder: -o", operation=_OPERATION)
    return stated_duty(duty or "", "read card_face/my_number_image")


def _only_code_a(source: Secrets) -> bool:
    """Whether the secrets that were given say by themselves which way is meant."""
    from kojin_card.cli.secret_sources import GivenSecrets

    return isinstance(source, GivenSecrets) and source.has("code-a") and not gives_code_b(source)


def _images(session: Session, found: Face, own: bytes | None) -> dict[str, bytes]:
    """File names and contents: what the card gave, and the photo once more for those who cannot show JPEG 2000."""
    images = {
        "name.png": found.name_png,
        "address.png": found.address_png,
        "security-code.png": found.security_code_png,
    }
    if found.photo is not None:
        images[_PHOTO] = found.photo
        if pictures.available():
            try:
                images[_PHOTO_PNG] = pictures.as_png(found.photo, "JPEG2000")
            except DecodeError:  # the photo as the card has it is still there
                session.say("say.face.photo_not_shown")
    if own is not None:
        images[_MY_NUMBER] = own
    return images


def _shown(found: Face) -> dict[str, bytes]:
    """The images for a sheet or a page, encoded anew. 個人番号 is never among them."""
    shown = {"name": pictures.as_png(found.name_png, "PNG"), "address": pictures.as_png(found.address_png, "PNG")}
    if found.photo is not None:
        shown["photo"] = pictures.as_png(found.photo, "JPEG2000")
    return {**shown, "security-code": pictures.as_png(found.security_code_png, "PNG")}


def _rows(session: Session, found: Face) -> list[tuple[str, str]]:
    text, lang = session.console.text, session.lang
    return [
        (text("say.four.birth_date"), day(found.birth_date, lang, found.birth_date_text)),
        (text("say.four.sex"), sex(found.sex, lang)),
        (text("say.info.expiry"), day(found.expiry, lang)),
    ]


def _expired(session: Session, found: Face) -> bool:
    return is_over(found.expiry, session.now())


def _legend(session: Session, shown: Iterable[str]) -> list[tuple[str, str]]:
    """What the numbers on the sheet stand for, in the language of the session: names and labels."""
    text = session.console.text
    named = [(name, text(f"say.face.{name}")) for name in shown]
    named += [(name, text(f"say.four.{name}")) for name in ("birth_date", "sex")]
    return [*named, ("expiry", text("say.info.expiry")), ("read_at", text("say.face.read_at"))]


def _sheet(session: Session, found: Face, shown: Mapping[str, bytes], *, proved: bool) -> bytes:
    """One image, numbered: the font that is always there has no Japanese, so in a Japanese session the numbers stand
    alone and what they mean is said beside the answer."""
    now, lang = session.now(), session.lang
    words = {
        "birth_date": day(found.birth_date, "en", found.birth_date_text),
        "sex": sex(found.sex, "en"),
        "expiry": day(found.expiry, "en"),
        "read_at": moment(now, "en"),
    }
    parts: list[tuple[str, bytes | str]] = [
        (f"{number}" if lang == "ja" else f"{number}. {label}", shown.get(name) or words[name])
        for number, (name, label) in enumerate(_legend(session, shown), 1)
    ]
    return pictures.contact_sheet(parts, _foot(session, found, "en", proved=proved))


def _foot(session: Session, found: Face, lang: str, *, proved: bool) -> list[str]:
    """What stands below the images: on the sheet itself in English, for want of letters."""
    keys = ["sheet_proved" if proved else "sheet_foot", *(["sheet_expired"] if _expired(session, found) else [])]
    return [messages.text(f"say.face.{key}", lang) for key in keys]


def _page(session: Session, found: Face, shown: Mapping[str, bytes], proved: Sequence[str]) -> bytes:
    from kojin_card.cli.card_view import Picture, card_page

    text, now = session.console.text, session.now()
    return card_page(
        lang=session.lang,
        title=text("say.face.title"),
        zoom=text("say.face.zoom"),
        images=[Picture(name, text(f"say.face.{name}"), png) for name, png in shown.items()],
        rows=[*_rows(session, found), (text("say.face.read_at"), moment(now, session.lang))],
        first=list(proved),
        alarms=[text("say.info.expired")] if _expired(session, found) else [],
        notes=[text("say.face.unsigned")],
    )


def _answer(
    session: Session,
    found: Face,
    way: str,
    duty: str | None,
    files: list[str],
    numbered: list[tuple[str, str]],
    prove: RecordProver | None,
) -> None:
    text = session.console.text
    value = {
        "birth_date": None if found.birth_date is None else found.birth_date.isoformat(),
        "birth_date_text": found.birth_date_text,
        "sex": str(found.sex),
        "expiry": found.expiry.isoformat(),
        "has_photo": found.photo is not None,
        "files": files,
        "sheet": [name for name, _ in numbered] or None,
        "duty": duty,
        "opened_with": way,
        "authentic": authentic(prove),
    }
    rows = _rows(session, found)
    rows.append(
        (text("say.face.photo"), text("say.info.present" if found.photo is not None else "say.info.not_present"))
    )
    if duty is not None:
        rows.append((text("say.number.duty"), duty))
    rows += [(text("say.face.file"), name) for name in files]
    if numbered:
        rows.append((text("say.face.sheet"), ", ".join(f"{at} {label}" for at, (_, label) in enumerate(numbered, 1))))
        if session.lang == "ja":
            foot = _foot(session, found, "ja", proved=prove is not None)
            rows += [(text("say.face.sheet_below"), words) for words in foot]
    notes = [Line(text("say.info.expired"), Role.BAD)] if _expired(session, found) else []
    notes += [*authentic_lines(session, prove), Line(text("say.face.unsigned"), Role.UNSURE)]
    session.answer("face", value, [Heading(text("say.face.title")), Fields(rows), *notes])
