"""A card's part typed in hex, for one test at a time: answers exactly these commands, in this order."""

from __future__ import annotations

# card.md §1, typed here and not taken from the specs
SELECT_JPKI = "00A4040C0AD392F000260100000001"
SELECT_TEXT = "00A4040C0AD3921000310001010408"
SELECT_COMMON = "00A4040C0AD3921000310001010100"

# card.md §2.1: EF 0002 of the J-LIS test card
EF_0002 = (
    "FF2065DF2108000E002000590064DF220FE9BB92E6A190E38080E5B9B9E4B99FDF2336E69DB1E4BAACE983BDE6B885E780ACE5B882E8A6B3"
    "E5B883E5AD90E58D97EFBC91EFBC92EFBC8DEFBC97EFBC8DEFBC92EFBC90EFBC92DF24083139383030323137DF250131"
)


class Scripted:
    """A connection that plays ``(command, answer)`` pairs in hex; anything else is an error that the test sees.

    Attributes:
        sent: the commands that came, in hex.
    """

    description = "scripted"

    def __init__(self, *steps: tuple[str, str], extended: bool | None = None) -> None:
        self.steps = [(command.replace(" ", ""), answer.replace(" ", "")) for command, answer in steps]
        self.sent: list[str] = []
        self.wrong: list[str] = []
        self.extended = extended

    def transmit(self, command: bytes) -> bytes:
        got = command.hex().upper()
        self.sent.append(got)
        expected, answer = self.steps.pop(0) if self.steps else ("nothing", "6F00")
        if got != expected:
            self.wrong.append(f"{got} instead of {expected}")
        return bytes.fromhex(answer)

    def done(self) -> None:
        """Everything that was typed was sent, and nothing else."""
        assert not self.wrong, self.wrong
        assert not self.steps, f"not sent: {self.steps}"
