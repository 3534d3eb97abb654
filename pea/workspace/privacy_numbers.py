"""Numbers that stand for people and accounts, counted only when their check digits are right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any

import msgspec

from pea.errors import MissingExtra
from pea.workspace.privacy_finding import Finding, Kind, finding

NEAR = 60  # characters before (and half of that after) a number among which a word must say what it is
IBAN = Kind("IBAN", "financial", "high")
CARD = Kind("payment card", "financial", "critical")
NATIONAL = Kind("national identity number", "identity", "critical")
TAX = Kind("tax number", "identity", "high")
HEALTH_ID = Kind("health insurance number", "special", "critical")
PHONE = Kind("phone number", "contact", "low")
BIRTH = Kind("date of birth", "identity", "medium")
HEALTH = Kind("health information", "special", "high")
KINDS = (IBAN, CARD, NATIONAL, TAX, HEALTH_ID, PHONE, BIRTH, HEALTH)

_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ \u00a0-]?[A-Z0-9]{2,4}){3,8}[ \u00a0-]?[A-Z0-9]{0,3}(?![A-Za-z0-9])"
)
# Seven digits near one another: nothing below is without them (an IBAN of letters begins up to eight before).
_CLUSTER = re.compile(r"\d(?:[^\d\n]{0,3}\d){6,}")
_MARGIN = 12
_CARD = re.compile(r"(?<![\w.,/-])\d(?:[ \u00a0-]?\d){12,18}(?![\w/-]|[.,]\d)")
_PHONE = re.compile(r"(?<![\w+])\+\d[\d ()/.\u00a0-]{6,20}\d(?!\w)")
_BORN = re.compile(
    r"\b(?:date of birth|d\.?o\.?b\.?|born(?: on)?|birth ?date|geboren(?: am)?|geburtsdatum|geb\.|née? le|"
    r"date de naissance|fecha de nacimiento|data di nascita)\s*:?\s*"
    r"(\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}-\d\d-\d\d|\d{1,2}\.? [A-Za-zäéû]{3,9}\.? \d{4}|"
    r"[A-Z][a-z]{2,8} \d{1,2},? \d{4})",
    re.IGNORECASE,
)
_BORN_WORDS = ("birth", "dob", "d.o.b", "born", "gebor", "geburt", "geb.", "naiss", "nacim", "nasci", "né")
_ILL = re.compile(
    r"\b(?:diagnos(?:is|ed with|e:)|krankschreibung|krankmeldung|arbeitsunfähig(?:keit)?s?(?:bescheinigung)?|"
    r"sick note|medical certificate|certificat médical|arrêt maladie|schwerbehindert\w*|disability (?:status|pension)|"
    r"hiv[- ]positive|chemotherap\w+|psychotherap\w+|blood pressure \d|prescri(?:bed|ption for) [a-z]+)",
    re.IGNORECASE,
)


class Scheme(msgspec.Struct, frozen=True):
    """A country's number: where it may stand, the stdnum module that checks it, the words that must be near.

    ``words`` are empty where shape and check digits alone leave no room for chance.
    """

    module: str
    kind: Kind
    name: str
    shape: re.Pattern[str]
    words: re.Pattern[str] | None


def _scheme(module: str, kind: Kind, name: str, shape: str, words: str = "") -> Scheme:
    near = re.compile(rf"\b(?:{words})", re.IGNORECASE) if words else None
    return Scheme(module, kind, name, re.compile(rf"(?<![\w.,/+-])(?:{shape})(?![\w/-]|[.,]\d)"), near)


_ELEVEN = r"\d{2,3}[ ]?\d{3}[ ]?\d{3}[ ]?\d{2,3}"
_SCHEMES = (
    _scheme("us.ssn", NATIONAL, "US social security number", r"\d{3}-\d{2}-\d{4}"),
    _scheme("us.ssn", NATIONAL, "US social security number", r"\d{9}", r"ssn|social security"),
    _scheme("de.idnr", TAX, "German tax number (IdNr)", _ELEVEN, r"steuer|idnr|identifikationsnum|tax (?:id|num)"),
    _scheme("fr.nir", NATIONAL, "French NIR", r"[12] ?\d{2} ?\d{2} ?\d[0-9AB] ?\d{3} ?\d{3} ?\d{2}"),
    _scheme("it.codicefiscale", TAX, "Italian codice fiscale", r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]"),
    _scheme("es.dni", NATIONAL, "Spanish DNI", r"\d{8}-?[A-HJ-NP-TV-Z]"),
    _scheme("es.nie", NATIONAL, "Spanish NIE", r"[XYZ]-?\d{7}-?[A-HJ-NP-TV-Z]"),
    _scheme("nl.bsn", NATIONAL, "Dutch BSN", r"\d{9}|\d{4}\.\d{2}\.\d{3}", r"bsn|burgerservice|sofi"),
    _scheme("pl.pesel", NATIONAL, "Polish PESEL", r"\d{11}", r"pesel"),
    _scheme("be.nn", NATIONAL, "Belgian national number", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}"),
    _scheme("be.nn", NATIONAL, "Belgian national number", r"\d{11}", r"rijksreg|registre nat|national num"),
    _scheme("ch.ssn", NATIONAL, "Swiss AHV number", r"756[. ]?\d{4}[. ]?\d{4}[. ]?\d{2}"),
    _scheme("at.vnr", NATIONAL, "Austrian insurance number", r"\d{4} ?\d{6}", r"sozialvers|svnr|sv-nr|versicherungsn"),
    _scheme("se.personnummer", NATIONAL, "Swedish personnummer", r"(?:19|20)?\d{6}[-+]\d{4}", r"personnum|pnr|ssn"),
    _scheme("no.fodselsnummer", NATIONAL, "Norwegian fødselsnummer", r"\d{6} ?\d{5}", r"f[øo]dselsn|personn|fnr"),
    _scheme("dk.cpr", NATIONAL, "Danish CPR", r"\d{6}-?\d{4}", r"cpr|personnummer"),
    _scheme("fi.hetu", NATIONAL, "Finnish HETU", r"\d{6}[-+A]\d{3}[0-9A-Y]"),
    _scheme("br.cpf", TAX, "Brazilian CPF", r"\d{3}\.\d{3}\.\d{3}-\d{2}"),
    _scheme("in_.aadhaar", NATIONAL, "Indian Aadhaar", r"\d{4} ?\d{4} ?\d{4}", r"aadhaar|aadhar|uid"),
    _scheme("gb.nhs", HEALTH_ID, "NHS number", r"\d{3}[ -]?\d{3}[ -]?\d{4}", r"nhs"),
    _scheme("gb.utr", TAX, "UK taxpayer reference", r"\d{10}K?", r"utr|taxpayer reference"),
    _scheme("ca.sin", NATIONAL, "Canadian SIN", r"\d{3}[ -]?\d{3}[ -]?\d{3}", r"sin\b|social insurance"),
    _scheme("au.tfn", TAX, "Australian TFN", r"\d{3} ?\d{3} ?\d{2,3}", r"tfn|tax file"),
    _scheme("pt.nif", TAX, "Portuguese NIF", r"\d{9}", r"nif\b|contribuinte"),
)  # fmt: skip


def find(text: str) -> Iterator[Finding]:
    """Every number that passes its checks, dates of birth, and words of illness."""
    for cluster in _CLUSTER.finditer(text):
        start, end = max(0, cluster.start() - _MARGIN), min(len(text), cluster.end() + _MARGIN)
        yield from _ibans(text, start, end)
        yield from _cards(text, start, end)
        for scheme in _SCHEMES:
            yield from _national(text, scheme, start, end)
        if "+" in text[start:end]:
            yield from _phones(text, start, end)
    for match in _BORN.finditer(text) if _born_of(text) else ():
        yield finding(BIRTH, match[1], match.start(1), "the words before it say so", shown="••••")
    for match in _ILL.finditer(text):
        yield finding(HEALTH, match[0], match.start(), "its words", shown=match[0].split()[0].lower()[:20])


def _born_of(text: str) -> bool:
    lower = text.lower()
    return any(word in lower for word in _BORN_WORDS)


def _ibans(text: str, start: int, end: int) -> Iterator[Finding]:
    for match in _IBAN.finditer(text, start, end):
        value = match[0].rstrip(" -\u00a0")
        # Words in capitals may follow an IBAN: the longest part that checks out is the number.
        pieces = re.split(r"([ \u00a0-])", value)
        while pieces:
            part = "".join(pieces)
            plain = re.sub(r"[ \u00a0-]", "", part)
            if _valid("iban", plain):
                shown = f"{plain[:2]}••••{plain[-4:]}"
                yield finding(IBAN, part, match.start(), "its check digits are right", shown=shown)
                break
            del pieces[-2:]


def _cards(text: str, start: int, end: int) -> Iterator[Finding]:
    for match in _CARD.finditer(text, start, end):
        plain = re.sub(r"\D", "", match[0])
        brand = _brand(plain)
        if brand and len(set(plain)) > 1 and _valid("luhn", plain):
            why = f"its check digit is right and it begins like a {brand} card"
            yield finding(CARD, match[0], match.start(), why)


def _brand(number: str) -> str:
    """The card scheme by prefix and length (ISO/IEC 7812 ranges as the schemes publish them); empty when none."""
    two, four, length = int(number[:2]), int(number[:4]), len(number)
    if number[0] == "4" and length in (13, 16, 19):
        return "Visa"
    if length == 16 and (51 <= two <= 55 or 2221 <= four <= 2720):
        return "Mastercard"
    if length == 15 and two in (34, 37):
        return "American Express"
    if length == 16 and (four == 6011 or two == 65 or 644 <= int(number[:3]) <= 649):
        return "Discover"
    if length == 16 and 3528 <= four <= 3589:
        return "JCB"
    if length == 14 and (two in (36, 38, 39) or 300 <= int(number[:3]) <= 305):
        return "Diners Club"
    return ""


def _national(text: str, scheme: Scheme, start: int, end: int) -> Iterator[Finding]:
    near = text[max(0, start - NEAR) : end + NEAR]
    if scheme.words is not None and scheme.words.search(near) is None:
        return
    for match in scheme.shape.finditer(text, start, end):
        if scheme.words is not None:
            around = text[max(0, match.start() - NEAR) : match.end() + NEAR // 2]
            if scheme.words.search(around) is None:
                continue
        if _valid(scheme.module, match[0]):
            proof = "and the words beside it" if scheme.words is not None else "and its shape"
            yield finding(scheme.kind, match[0], match.start(), f"{scheme.name}: its check digits {proof}")


def _phones(text: str, start: int, end: int) -> Iterator[Finding]:
    import phonenumbers

    for match in _PHONE.finditer(text, start, end):
        try:
            number = phonenumbers.parse(match[0])
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            yield finding(PHONE, match[0], match.start(), "a valid number of its country")


def _valid(module: str, value: str) -> bool:
    try:
        return bool(_checker(module)(value))
    except (ValueError, TypeError, IndexError, KeyError):  # checkers are given what strangers wrote
        return False


@lru_cache(maxsize=64)
def _checker(module: str) -> Callable[[str], Any]:
    try:
        loaded = import_module(f"stdnum.{module}")
    except ImportError as error:
        raise MissingExtra("numbers cannot be checked", fix="pip install 'pea[assistant]'") from error
    checker: Callable[[str], Any] = loaded.is_valid
    return checker
