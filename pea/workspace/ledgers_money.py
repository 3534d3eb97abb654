"""Sums as banks write them become exact decimals: which mark is decimal is told from the whole column."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

import msgspec

MAX_DIGITS = 15
SIGNS = {
    "€": "EUR",
    "$": "USD",
    "US$": "USD",
    "£": "GBP",
    "¥": "JPY",
    "₹": "INR",
    "zł": "PLN",
    "Fr.": "CHF",
}
NO_CURRENCY = "XXX"  # ISO 4217 for "no currency": the statement does not say
_ALL_CODES = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
    CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK
    HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL
    MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON
    RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH
    UGX USD UYU UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL DEM FRF
"""  # ISO 4217
_CODES = frozenset(_ALL_CODES.split())
_CODE = re.compile(r"\b([A-Z]{3})\b")
_EURO = re.compile(r"\beuros?\b", re.IGNORECASE)
_SPACES = re.compile(r"[\s\u00a0\u202f\u2009'\u2019]")
_SIGN_WORDS = re.compile(
    r"^(?P<open>\()?(?P<lead>[-+\u2212\u2013])?(?P<body>[\d.,]*\d[.,]?)(?P<trail>[-+\u2212])?(?P<close>\))?"
    r"(?P<word>CR|DR|C|D|H|S)?$",
    re.IGNORECASE,
)
_MINUS = frozenset("-\u2212\u2013")


class Mark(msgspec.Struct, frozen=True):
    """The decimal mark of a column, and why it is taken for that; ``sure`` when a value can be read in one way only."""

    mark: str
    reason: str
    sure: bool


def decimal_mark(texts: Iterable[str], *, default: str = ".") -> Mark:
    """Which of ``.`` and ``,`` is decimal in a column of sums."""
    votes = {".": 0, ",": 0}
    seen: dict[str, str] = {}
    for text in texts:
        digits = _SPACES.sub("", text)
        dot, comma = digits.rfind("."), digits.rfind(",")
        if dot < 0 and comma < 0:
            continue
        if dot >= 0 and comma >= 0:
            mark = "." if dot > comma else ","
        else:
            here, at = (".", dot) if dot >= 0 else (",", comma)
            after = re.match(r"\d*", digits[at + 1 :])
            length = len(after[0]) if after else 0
            if digits.count(here) > 1:  # two of one mark can only group
                mark = "," if here == "." else "."
            elif length == 3:
                continue  # a thousand, or thousandths: others decide
            else:
                mark = here
        votes[mark] += 1
        seen.setdefault(mark, text.strip())
    best = max(votes, key=lambda one: votes[one])
    if not votes[best]:
        return Mark(default, f"no value tells the decimal mark; “{default}” is assumed", sure=False)
    reason = f"“{best}” is the decimal mark, as in {seen[best][:30]}"
    return Mark(best, reason, sure=not min(votes.values()))


def read_money(text: str, mark: str) -> Decimal | None:
    """An exact sum, negative when it is written with a minus, in brackets or with DR; None when it is no sum.

    Currency signs and codes beside the number are passed over; ``1e5``, ``NaN`` and sums of more than 15 digits are
    no sums.
    """
    bare = _SPACES.sub("", text[:60])
    for sign in sorted(SIGNS, key=len, reverse=True):
        bare = bare.replace(sign, "")
    code = re.search(r"[A-Z]{3}", bare)
    if code and code[0] in _CODES:
        bare = bare.replace(code[0], "", 1)
    match = _SIGN_WORDS.match(bare)
    if match is None or bool(match["open"]) != bool(match["close"]):
        return None
    group = "," if mark == "." else "."
    body = match["body"]
    whole, _, fraction = body.rpartition(mark) if mark in body else (body, "", "")
    if mark in whole or group in fraction or (group in whole and not _grouped(whole, group)):
        return None
    digits = whole.replace(group, "")
    digits = digits.lstrip("0")
    if len(digits) + len(fraction) > MAX_DIGITS:
        return None
    value = Decimal(f"{digits or '0'}.{fraction}" if fraction else digits or "0")
    negative = bool(match["open"]) or match["lead"] in _MINUS or (match["trail"] or "") in _MINUS
    word = (match["word"] or "").upper()
    if word in {"DR", "D", "S"}:
        negative = True
    return -value if negative and value else value


def _grouped(whole: str, group: str) -> bool:
    first, *others = whole.split(group)
    # Indian lakhs group by two: 12,34,567.00
    return 1 <= len(first) <= 3 and all(len(part) in (2, 3) for part in others) and len(others[-1]) == 3


def currency_in(text: str) -> str:
    """The ISO 4217 code that a cell, a header or a line names by code or sign; empty when it names none."""
    for code in _CODE.findall(text):
        if code in _CODES:
            return str(code)
    for sign in sorted(SIGNS, key=len, reverse=True):
        if sign in text:
            return SIGNS[sign]
    return "EUR" if _EURO.search(text) else ""


def currency_code(text: str) -> str:
    """A code as written in a currency field; NO_CURRENCY when it is none."""
    code = text.strip().upper()
    return code if code in _CODES else currency_in(text) or NO_CURRENCY


def written(amount: Decimal, currency: str) -> str:
    """A sum for a person: ``1,234.50 EUR``."""
    places = 0 if currency in {"JPY", "KRW", "VND", "CLP"} else 2
    shown = f"{amount:,.{places}f}"
    return shown if currency in ("", NO_CURRENCY) else f"{shown} {currency}"
