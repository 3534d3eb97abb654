"""Dates and amounts as people write them, found in text without guessing at what they did not write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

import msgspec

MAX_FOUND = 200
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar janvier enero", "february feb februar février febrero", "march mar märz mars marzo",
            "april apr avril abril", "may mai mayo", "june jun juni juin junio", "july jul juli juillet julio",
            "august aug août agosto", "september sep sept septembre septiembre", "october oct oktober octobre octubre",
            "november nov novembre noviembre", "december dec dezember décembre diciembre",
        ), 1
    )
    for name in names.split()
}  # fmt: skip
_NAMES = "|".join(sorted(_MONTHS, key=len, reverse=True))
_YEAR = r"(?:(?P<{0}>(?:19|20|21)\d\d)|['\u2019](?P<{1}>\d\d))"
_DATE = re.compile(
    r"(?<![\w.,/-])(?:"
    r"(?P<iy>(?:19|20|21)\d\d)-(?P<im>\d\d?)-(?P<id>\d\d?)(?=T\d|[^\w-]|$)"
    rf"|(?P<dd>\d\d?)(?:st|nd|rd|th|\.)?\s+(?:of\s+|de\s+)?(?P<dm>{_NAMES})\b\.?"
    rf"(?:,?\s+(?:de\s+)?{_YEAR.format('dy', 'dyy')})?"
    rf"|(?P<mm>{_NAMES})\b\.?\s+(?P<md>\d\d?)(?:st|nd|rd|th)?(?![\d:.]\d)(?:,?\s+{_YEAR.format('my', 'myy')})?"
    r"|(?P<pd>\d\d?)\.(?P<pm>\d\d?)\.(?P<py>(?:19|20|21)\d\d|\d\d)?(?![\d.])"
    r"|(?P<s1>\d\d?)/(?P<s2>\d\d?)/(?P<sy>(?:19|20|21)\d\d|\d\d)(?![\d/])"
    r")",
    re.IGNORECASE,
)
_CURRENCY = r"€|\$|£|¥|₹|US\$|EUR|USD|GBP|CHF|JPY|CAD|AUD|SEK|NOK|DKK|PLN|INR|CNY"
_WORDS = {"euro": "EUR", "euros": "EUR", "dollar": "USD", "dollars": "USD", "pounds": "GBP", "francs": "CHF"}
_SIGNS = {"€": "EUR", "$": "USD", "US$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR"}
_NUMBER = r"\d{1,3}(?:[.,'\u2019 \u00a0\u202f]\d{3})+(?:[.,]\d{1,2})?|\d{1,12}(?:[.,]\d{1,2})?"
_SCALE = r"(?:\s?(?P<scale{0}>million|billion|thousand|mn|bn|[kKmM])\b)?"
_AMOUNT = re.compile(
    rf"(?<![\w.])(?:(?P<c1>{_CURRENCY})\s?(?P<n1>{_NUMBER})(?![\d]){_SCALE.format(1)}"
    rf"|(?P<n2>{_NUMBER}){_SCALE.format(2)}\s?(?P<c2>{_CURRENCY}|{'|'.join(_WORDS)})(?!\w))"
)
_SCALES = {"thousand": 1e3, "k": 1e3, "million": 1e6, "mn": 1e6, "m": 1e6, "billion": 1e9, "bn": 1e9}


class Moment(msgspec.Struct, frozen=True):
    """A date found in text: what was written, where it begins, and the day; ``notes`` say what had to be assumed."""

    text: str
    start: int
    day: date
    assumed: str = ""


class Amount(msgspec.Struct, frozen=True):
    """A sum of money found in text, as written and as a number in an ISO 4217 currency."""

    text: str
    start: int
    value: float
    currency: str


def find_dates(text: str, base: date | None = None, *, month_first: bool = False) -> Iterator[Moment]:
    """Dates that name a day. One without a year is the next such day after ``base`` (or not found without a base).

    ``3/4/2026`` is the third of April unless ``month_first`` says otherwise or only one reading is a date.
    """
    for count, match in enumerate(_DATE.finditer(text)):
        if count >= MAX_FOUND:
            return
        found = _moment(match, base, month_first=month_first)
        if found is not None:
            yield found


def _moment(match: re.Match[str], base: date | None, *, month_first: bool) -> Moment | None:
    part = match.groupdict()
    assumed = ""
    if part["iy"]:
        year, month, day = part["iy"], int(part["im"]), int(part["id"])
    elif part["dm"]:
        year, month, day = part["dy"] or part["dyy"], _MONTHS[part["dm"].lower()], int(part["dd"])
    elif part["mm"]:
        year, month, day = part["my"] or part["myy"], _MONTHS[part["mm"].lower()], int(part["md"])
    elif part["pd"]:
        year, month, day = part["py"], int(part["pm"]), int(part["pd"])
    else:
        year, first, second = part["sy"], int(part["s1"]), int(part["s2"])
        month, day = (first, second) if (month_first and first <= 12) or second > 12 else (second, first)
        if first <= 12 and second <= 12 and first != second:
            assumed = "month before day" if month_first else "day before month"
    try:
        if year:
            number = int(year)
            return Moment(match[0], match.start(), date(number + 2000 if number < 100 else number, month, day), assumed)
        if base is None:
            return None
        return Moment(match[0], match.start(), next_such_day(base, month, day), "year not written")
    except ValueError:
        return None


def next_such_day(base: date, month: int, day: int) -> date:
    """The day and month nearest ahead of ``base``: up to two months past still means this year.

    Raises ValueError when there is no such day.
    """
    for year in (base.year - 1, base.year, base.year + 1, base.year + 2, base.year + 3, base.year + 4):
        try:
            candidate = date(year, month, day)
        except ValueError:
            if (month, day) == (2, 29):
                continue
            raise
        if candidate >= base - timedelta(days=60):
            return candidate
    raise ValueError("no such day")


def find_amounts(text: str) -> Iterator[Amount]:
    """Sums with a currency sign, code or word beside them; a bare number is no amount."""
    for count, match in enumerate(_AMOUNT.finditer(text)):
        if count >= MAX_FOUND:
            return
        written = match["c1"] or match["c2"]
        number, scale = (match["n1"], match["scale1"]) if match["c1"] else (match["n2"], match["scale2"])
        value = _number(number) * _SCALES.get((scale or "").lower(), 1.0)
        yield Amount(match[0], match.start(), value, _SIGNS.get(written) or _WORDS.get(written) or written)


def _number(text: str) -> float:
    """Read ``1,234.50``, ``1.234,50``, ``1 234`` and ``12,5``: the last mark is decimal unless three digits follow."""
    digits = re.sub(r"['\u2019 \u00a0\u202f]", "", text)
    last = max(digits.rfind("."), digits.rfind(","))
    if last < 0:
        return float(digits)
    whole, fraction = re.sub(r"[.,]", "", digits[:last]), digits[last + 1 :]
    return float(whole + fraction) if len(fraction) == 3 else float(f"{whole}.{fraction}")
