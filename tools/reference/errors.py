"""The error catalogue and the card's status words, for people: code, class, exit code, words, remedy."""

from __future__ import annotations

import inspect
import pkgutil
import re
from importlib import import_module
from typing import TYPE_CHECKING

from tools.reference.markdown import NotShown, code, grid, notice

import kojin_card
from kojin_card import messages
from kojin_card.cli.exits import BY_CODE, exit_of_indication
from kojin_card.errors import CardError, KojinError, VerdictError
from kojin_card.iso7816.status import SW
from kojin_card.transport.answers import raise_for_sw
from kojin_card.verdict import Indication

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What each status word of card.md §4.9 means, in its words; where those are silent, in those of ISO/IEC 7816-4.
#: Whether somebody published a conversation with a card in which it stands (the dagger of §4.9).
MEANINGS: dict[int, tuple[bool, str, str]] = {
    SW.OK: (True, "done", "正常終了"),
    0x6281: (False, "part of the data may be corrupted (ISO/IEC 7816-4)", "出力データに異常の可能性"),
    SW.DF_LOCKED: (False, "the application (DF) is locked", "DF（アプリケーション）が閉塞"),
    SW.DF_TERMINATED: (False, "the slot is terminated (free area; ISO/IEC 7816-4)", "スロットは終了済み"),
    SW.MORE_DATA: (False, "more data follow: GET STATUS again (GlobalPlatform)", "続きのデータあり"),
    SW.UNLIMITED_TRIES: (False, "to an empty VERIFY: the tries are not limited", "照合の回数に制限なし"),
    0x6381: (False, "the file was filled up by the last write (ISO/IEC 7816-4)", "書込みによりファイルが一杯"),
    0x6400: (False, "failed, nothing was changed (ISO/IEC 7816-4)", "実行エラー（メモリは変化なし）"),
    SW.MEMORY_FAILURE: (False, "memory failure (ISO/IEC 7816-4)", "メモリの異常"),
    SW.SM_NOT_CONFIGURED: (True, "secure messaging is not configured here", "セキュアメッセージングの設定なし"),
    SW.WRONG_LENGTH: (True, "wrong length; with GET DATA: an extended Le is needed", "長さの誤り"),
    SW.CHANNEL_NOT_SUPPORTED: (True, "there is no logical channel but 0", "論理チャネルは0のみ"),
    SW.SM_NOT_SUPPORTED: (False, "no secure messaging for this", "セキュアメッセージング非対応"),
    SW.NO_ROOM: (False, "no room: quota of the owner, or the free area is full (ISO/IEC 7816-4)", "空き容量不足"),
    SW.ALGORITHM_NOT_SUPPORTED: (
        False,
        "a key of an algorithm that is not supported (GlobalPlatform)",
        "未対応の鍵アルゴリズム",
    ),
    SW.WRONG_CHECK_VALUE: (False, "the check value of a new key is wrong (GlobalPlatform)", "鍵の検査値の誤り"),
    SW.WRONG_FILE_STRUCTURE: (True, "the command does not fit the structure of the file", "ファイル構造と矛盾"),
    SW.SECURITY_NOT_SATISFIED: (True, "something must be verified first, or never may", "セキュリティステータスが不足"),
    SW.AUTH_METHOD_BLOCKED: (
        False,
        "blocked, as some clients expect it; no card was seen to say so",
        "閉塞（実カードでの記録なし）",
    ),
    SW.REFERENCE_DATA_BLOCKED: (True, "the key file (IEF) is blocked", "IEFが閉塞"),
    SW.CONDITIONS_NOT_SATISFIED: (True, "not under these conditions", "使用条件が不足"),
    SW.NO_CURRENT_EF: (False, "no file is selected", "カレントEFなし"),
    SW.SM_OBJECTS_MISSING: (
        True,
        "secure messaging: an object is missing, or not this class of command",
        "SMデータオブジェクトの欠落",
    ),
    SW.SM_OBJECTS_WRONG: (
        True,
        "secure messaging: not exactly one object; the session is destroyed",
        "SMデータオブジェクトの誤り",
    ),
    SW.NO_SM_SESSION: (True, "there is no session of secure messaging", "SMセッションなし"),
    SW.WRONG_DATA: (True, "the data has not the form that it must have", "データの誤り"),
    SW.FUNCTION_NOT_SUPPORTED: (False, "not supported", "機能なし"),
    SW.FILE_NOT_FOUND: (True, "no such application or file", "アプリケーションまたはファイルなし"),
    SW.RECORD_NOT_FOUND: (False, "no such record", "レコードなし"),
    SW.INCORRECT_P1P2: (True, "P1 or P2 is not one that the command knows", "P1-P2の誤り"),
    SW.REFERENCE_NOT_FOUND: (True, "no such key or data object", "鍵またはデータオブジェクトなし"),
    SW.OFFSET_PAST_END: (True, "the offset is not inside the file", "オフセットがファイルの外"),
    SW.INS_NOT_SUPPORTED: (False, "no such instruction", "INSなし"),
    SW.CLA_NOT_SUPPORTED: (False, "no such class", "CLAなし"),
    SW.NO_PRECISE_DIAGNOSIS: (True, "failed, and no word says why", "自己診断異常・原因不明"),
}
LABELS = {"words": "what happened", "remedy": "what to do"}
INTRO = """\
Every error has a `code`, which is stable: JSON answers carry it, and the [exit code](../cli.md#exit-codes) depends on
it. Words in braces are filled in; of several texts the first is taken whose words are all known. No error carries a
PIN, 個人番号, the four items or the data of a command.

"""
STATUS = """\
The last two bytes of each answer, and which error they become when nothing else was expected. "seen": a published
conversation with a real card has it. The facts (card.md §4.9) list the rest by what JICSAP says and what clients
handle. The answer to an empty VERIFY is a counter and no error: `63Cx` are x tries, `63C0` is blocked, `9000` is
verified already. `61xx` and `6Cxx` were seen on no card; they are followed.

"""


def classes() -> list[type[KojinError]]:
    """Every error of the package, wherever it is defined, general before special."""
    for module in pkgutil.walk_packages(kojin_card.__path__, "kojin_card."):
        if not module.name.endswith("cli.main"):
            import_module(module.name)

    def below(kind: type[KojinError]) -> Iterator[type[KojinError]]:
        yield kind
        for inner in sorted(kind.__subclasses__(), key=lambda one: (one.__module__, one.__qualname__)):
            yield from below(inner)

    return [kind for kind in dict.fromkeys(below(KojinError)) if kind.__module__.startswith("kojin_card.")]


def codes() -> dict[str, list[type[KojinError]]]:
    """Code -> the classes that have it, by exit code.

    Raises:
        NotShown: the catalogue has words for a code that no error has.
    """
    found: dict[str, list[type[KojinError]]] = {}
    for kind in classes():
        found.setdefault(kind.code, []).append(kind)
    if lost := {key.partition(".")[0] for key in messages.load("errors")} - found.keys():
        raise NotShown(f"messages/errors.toml has words for {', '.join(sorted(lost))}, which no error has")
    return dict(sorted(found.items(), key=lambda item: (_exit_of(item[1][0]), list(found).index(item[0]))))


def _above(kind: type[KojinError]) -> list[str]:
    return list(dict.fromkeys(base.code for base in kind.__mro__ if issubclass(base, KojinError)))


def _exit_of(kind: type[KojinError]) -> int:
    return BY_CODE[next(one for one in _above(kind) if one in BY_CODE)]


def _exit_words(kind: type[KojinError]) -> str:
    if issubclass(kind, VerdictError):
        exits = sorted(exit_of_indication(one) for one in Indication if one is not Indication.TOTAL_PASSED)
        return " or ".join(str(int(one)) for one in exits)
    return str(int(_exit_of(kind)))


def _texts(key: str) -> Iterator[tuple[str, str, str]]:
    """Rows for all entries of the catalogue whose key begins with a code: general ones, then special cases."""
    for name, entry in messages.load("errors").items():
        head, *case, part = name.split(".")
        if head == key:
            pairs = [entry[lang] if isinstance(entry[lang], list) else [entry[lang]] for lang in ("ja", "en")]
            label = LABELS[part] + (f" ({' '.join(case).replace('_', ' ')})" if case else "")
            for place, (ja, en) in enumerate(zip(*pairs, strict=True)):
                yield ("" if place == 0 else "or: ") + label, ja, en


def _section(key: str, kinds: list[type[KojinError]]) -> str:
    names = ", ".join(f"`{kind.__module__}.{kind.__qualname__}`" for kind in kinds)
    above = [one for one in _above(kinds[0]) if one not in (key, "unexpected")]
    special = f" A special kind of [`{above[0]}`](#{above[0]})." if above else ""
    doc = re.sub(r":\w+:(?=`)", "", (inspect.getdoc(kinds[0]) or "").partition("\n\n")[0].replace("\n", " "))
    rows = list(_texts(key))
    text = grid(("", "日本語", "English"), rows) if rows else f"Its words are those of [`{above[0]}`](#{above[0]}).\n\n"
    return f"### {key}\n\nExit code {_exit_words(kinds[0])}; {names}.{special} {doc}\n\n{text}"


def becomes(sw: int) -> str:
    """The error that a status word turns into, by the one place that decides it; a counter where a secret was sent."""
    try:
        raise_for_sw("reference", sw, key="the secret that was sent")
    except CardError as error:
        return f"[`{error.code}`](#{error.code}) {type(error).__name__}"
    return ""


def status_rows() -> Iterator[tuple[str, str, str, str, str]]:
    """Every status word, in order.

    Raises:
        NotShown: the package knows one that has no meaning here.
    """
    if lost := sorted({int(word) for word in SW} - {int(word) for word in MEANINGS}):
        raise NotShown(
            f"status words without a meaning in tools/reference/errors.py: {', '.join(map('{:04X}'.format, lost))}"
        )
    for sw, (seen, en, ja) in sorted(MEANINGS.items()):
        yield code(f"{sw:04X}"), en, ja, "seen" if seen else "", becomes(sw)
        if sw == SW.UNLIMITED_TRIES:
            yield "`63C0`", "wrong, and no try is left", "照合不一致、残り回数0", "seen", becomes(0x63C0)
            yield "`63Cx`", "wrong; x tries are left", "照合不一致、残りx回", "seen", becomes(0x63C1)


def page() -> str:
    """The whole page."""
    catalogue = codes()
    rows = [
        (f"[`{key}`](#{key})", ", ".join(kind.__qualname__ for kind in kinds), _exit_words(kinds[0]))
        for key, kinds in catalogue.items()
    ]
    return (
        notice("kojin_card.errors, messages/errors.toml and iso7816/status.py")
        + f"# Errors\n\n{INTRO}"
        + grid(("code", "class", "exit code"), rows)
        + f"## Status words of the card\n\n{STATUS}"
        + grid(("word", "meaning", "意味", "", "becomes"), status_rows())
        + "## Words and remedies\n\n"
        + "".join(_section(key, kinds) for key, kinds in catalogue.items())
    ).rstrip("\n") + "\n"
