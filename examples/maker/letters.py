"""Letters as dots, five wide and seven high: enough to draw what a scanner would have seen."""

from __future__ import annotations

from collections.abc import Sequence

# Seven rows per letter, each five bits written as a number in base 32, most significant bit on the left.
_ROWS = {
    "A": "EHHVHHH", "B": "UHHUHHU", "C": "EHGGGHE", "D": "UHHHHHU", "E": "VGGUGGV", "F": "VGGUGGG", "G": "EHGNHHF",
    "H": "HHHVHHH", "I": "E44444E", "J": "72222IC", "K": "HIKOKIH", "L": "GGGGGGV", "M": "HRLLHHH", "N": "HHPLJHH",
    "O": "EHHHHHE", "P": "UHHUGGG", "Q": "EHHHLID", "R": "UHHUKIH", "S": "FGGE11U", "T": "V444444", "U": "HHHHHHE",
    "V": "HHHHHA4", "W": "HHHLLLA", "X": "HHA4AHH", "Y": "HHHA444", "Z": "V1248GV", "0": "EHJLPHE", "1": "4C4444E",
    "2": "EH1248V", "3": "V2421HE", "4": "26AIV22", "5": "VGU11HE", "6": "68GUHHE", "7": "V124888", "8": "EHHEHHE",
    "9": "EHHF12C", "-": "000V000", ".": "00000CC", ",": "0000C48", ":": "0CC0CC0", " ": "0000000",
}  # fmt: skip
INK, PAPER, DOT = 0x30, 0xF4, 3


def drawn(lines: Sequence[str]) -> tuple[int, int, bytes]:
    """Width, height and grey pixels (one byte each, rows from the top) of ``lines`` with a margin around them."""
    columns = max(len(line) for line in lines) * 6 + 8
    dots = [[False] * columns for _ in range(len(lines) * 11 + 8)]
    for row, line in enumerate(lines):
        for column, letter in enumerate(line):
            for y, digit in enumerate(_ROWS[letter]):
                for x in range(5):
                    dots[4 + row * 11 + y][4 + column * 6 + x] = bool(int(digit, 32) >> (4 - x) & 1)
    rows = (b"".join(bytes([INK if dot else PAPER]) * DOT for dot in line) * DOT for line in dots)
    return columns * DOT, len(dots) * DOT, b"".join(rows)
