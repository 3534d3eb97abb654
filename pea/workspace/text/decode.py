"""Bytes become text: byte-order mark, UTF-8, the declared charset, then a guess, in that order."""

from __future__ import annotations

import codecs
import re

from pea.workspace.files_report import Unreadable

SAMPLE_BYTES = 1 << 16  # how much of a file the guess looks at
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What Western languages write beyond ASCII; a text of only these is not one of the look-alikes of cp1252.
_WESTERN = frozenset(
    "äöüßÄÖÜéèêëÉÈÊàâáÀÂÁçÇîïíÎÍôóòõÓÔûùúÚñÑåÅæÆøØœŒãìºª¿¡€£§°·«»…\u2013\u2014\u2018\u2019\u201c\u201d\u201e\u00a0"
)
_LIKELY = [
    "cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256",
    "cp932", "euc_jp", "gb18030", "big5", "cp949",
]  # fmt: skip
# Charset names that mail in the wild uses and Python does not know, or knows as something narrower than is meant.
_MEANT = {
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "cp-850": "cp850",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "unicode-1-1-utf-7": "utf-7",
}


def decode(data: bytes, declared: str = "") -> str:
    """Read text of any charset, line ends made newlines, control characters dropped; Unreadable if binary."""
    for mark, charset in _MARKS:
        if data.startswith(mark):
            return _tidy(data[len(mark) :].decode(charset, "replace"))
    wide = _wide(data)
    if wide:
        return _tidy(data.decode(wide, "replace"))
    if data.count(b"\0", 0, SAMPLE_BYTES) > 0:
        raise Unreadable("it is binary data, not text")
    return _tidy(decode_as(data, declared))


def decode_as(data: bytes, declared: str = "") -> str:
    """Decode strictly as UTF-8, else as declared, else as guessed; never raises, bad bytes become U+FFFD."""
    meant = _MEANT.get(declared.strip().lower(), declared.strip())
    # Text that is valid UTF-8 beyond ASCII is UTF-8 whatever its label says, save in the stateful 7-bit charsets.
    stateful = meant.lower().startswith(("iso-2022", "utf-7", "hz"))
    order = (meant, "utf-8") if stateful else ("utf-8", meant)
    for charset in order:
        if charset:
            try:
                return data.decode(charset)
            except (UnicodeError, LookupError, ValueError):
                continue
    return data.decode(_guess(data), "replace")


def _guess(data: bytes) -> str:
    """The likeliest charset of bytes that are no UTF-8: Western by its letters, else as charset-normalizer says."""
    sample = data[:SAMPLE_BYTES]
    foreign = [c for c in sample.decode("cp1252", "replace") if not c.isascii()]
    letters = sum(1 for byte in sample if chr(byte).isalpha() or byte > 127)
    if all(c in _WESTERN for c in foreign) and len(foreign) < 0.4 * letters:
        return "cp1252"
    if len(sample) < 12:  # too little to tell charsets apart
        return "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=_LIKELY, threshold=0.3).best()
    return best.encoding if best is not None else "cp1252"


def _wide(data: bytes) -> str:
    """UTF-16 without a mark shows as NULs in nearly every odd, or every even, place."""
    sample = data[:4096]
    half = len(sample) // 2
    if half < 4:
        return ""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 0.7 * half and even < 0.1 * half:
        return "utf-16-le"
    if even > 0.7 * half and odd < 0.1 * half:
        return "utf-16-be"
    return ""


def _tidy(text: str) -> str:
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
