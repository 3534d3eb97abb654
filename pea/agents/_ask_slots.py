"""What a request names besides its intent: days, lengths, counts, people, countries, sums, files, quotations."""

from __future__ import annotations

import re
from datetime import date

import msgspec

from pea.agents._ask_days import NUMBER, When, find_when, number_of
from pea.workspace.places_table import countries
from pea.workspace.text.dates import find_amounts

MAX_REQUEST = 1_000  # characters
_LENGTH = re.compile(
    rf"\b(?:(?P<half>half an hour)|(?P<andhalf>an hour and a half)|(?P<quarter>a quarter of an hour)"
    rf"|(?P<number>\d+(?:[.,]\d)?|{NUMBER})[\s-]*(?:\w+ )?(?P<unit>minutes?|mins?|hours?|hrs?|h)\b)",
    re.IGNORECASE,
)
_COUNT = re.compile(
    rf"\b(?:(?:top|first|latest|last|newest|biggest|largest|best)\s+(?P<top>{NUMBER})\b"
    r"(?!\s*(?:day|week|month|year|hour|min))"
    r"|(?:list|show|give|find|tell)(?:\s+me)?\s+(?:the\s+)?(?P<show>\d+|two|three|four|five|six|seven|eight|nine|ten)\s"
    r"(?!\s*(?:day|week|month|year|hour|min|free|h\b))"
    r"|(?P<most>\d+|two|three|four|five|ten)\s+(?:most|best|latest|newest|biggest|largest)\b)",
    re.IGNORECASE,
)
_SENTENCES = re.compile(rf"\bin\s+(?P<number>{NUMBER})\s+(?:sentences?|lines?|bullets?|points?)\b", re.IGNORECASE)
_QUOTED = re.compile(r"[\"\u201c\u201e](?P<text>[^\"\u201c\u201d\u201e]{1,200})[\"\u201d\u201c]")
_FILE = re.compile(r"(?<![\w@/.])[\w/][\w./-]*\.(?:pdf|docx?|md|txt|html?|rtf|odt)\b", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_FAMILY = r"(?:\s+(?:van |von |de |di )?[A-ZÀ-Þ][\w'\u2019-]+){0,2}"
_NAME = rf"(?:(?:dr|prof|professor|mr|mrs|ms|frau|herr)\.?\s+)?[^\W\d_][\w'\u2019-]*{_FAMILY}"
_FULL_NAME = rf"(?:(?:[Dd]r|[Pp]rof|[Pp]rofessor|[Mm]rs?|[Mm]s)\.?\s+)?[A-ZÀ-Þ][\w'\u2019-]+{_FAMILY}"
_WITH = re.compile(
    rf"\b(?:with|between|for me and|together with)\s+(?P<names>{_NAME}(?:\s*(?:,|and|&|,\s*and)\s+{_NAME}){{0,9}})",
)
_AND_I = re.compile(rf"\b(?P<names>{_NAME}(?:\s*,\s*{_NAME})*)\s+and\s+(?:I|me)\b(?!\s+[A-Z])")
_TO_WHOM = re.compile(
    rf"\b(?:to|from|about|address|meet|meeting|of|by|is|see|know|call|greet)\s+(?P<names>{_FULL_NAME})"
)
_VERB = re.compile(r"^(?:could|can|should|shall|do|does|did|will|would|may|have|are|is)\s+", re.IGNORECASE)
_SPLIT = re.compile(r"\s*(?:,\s*and|,|\band\b|&)\s+")
_NO_NAMES = """
    me i my mine you your us we our ours the a an this that these those it its all any every everyone everybody
    anyone anybody someone today tomorrow next last what which who whom when where how on in at for of no less
    more gdpr ccpa citations reasons sources respect regard attachments his her their him them legal team
"""
_NOBODY = frozenset(_NO_NAMES.split())


class Slots(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. ``masked`` is the request in lower case with WHEN, LONG, COUNT … in place of what was found."""

    text: str
    masked: str
    rest: str  # the request without days, lengths and counts, in its own case
    when: When | None = None
    minutes: int | None = None
    count: int | None = None
    sentences: int | None = None
    people: tuple[str, ...] = ()
    country: str = ""
    quoted: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    amount: str = ""

    @property
    def kinds(self) -> frozenset[str]:
        """Which kinds were found, as words of the phrase book."""
        found = {
            "when": self.when, "minutes": self.minutes, "count": self.count, "sentences": self.sentences,
            "people": self.people, "country": self.country, "quoted": self.quoted, "files": self.files,
            "amount": self.amount,
        }  # fmt: skip
        return frozenset(kind for kind, value in found.items() if value)


def find_slots(text: str, today: date) -> Slots:
    """Read a request; what is beyond 1,000 characters is not looked at."""
    text = " ".join(text[:MAX_REQUEST].split())
    marks: list[tuple[int, int, str]] = []

    def mark(match: re.Match[str] | None, word: str) -> re.Match[str] | None:
        if match is not None and not any(start < match.end() and match.start() < end for start, end, _ in marks):
            marks.append((match.start(), match.end(), word))
            return match
        return None

    quoted = tuple(found["text"] for found in _QUOTED.finditer(text) if mark(found, "QUOTED"))
    files = tuple(found[0] for found in _FILE.finditer(text) if mark(found, "FILE"))
    sentences = mark(_SENTENCES.search(text), "SENTENCES")
    length = mark(_LENGTH.search(text), "LONG")
    when, places = find_when(text, today)
    if any(start < end_ and start_ < end for start, end in places for start_, end_, _ in marks):
        when, places = None, []
    marks += [(start, end, "WHEN") for start, end in places]
    count = mark(_COUNT.search(text), "COUNT")
    amount = next(iter(find_amounts(text)), None)
    kept = list(marks)
    people = _people(text, marks)
    country = _country(text)
    return Slots(
        text=text,
        masked=_masked(text, marks, lower=True),
        rest=_masked(text, [(start, end, "" if word != "QUOTED" else text[start:end]) for start, end, word in kept]),
        when=when,
        minutes=None if length is None else _minutes(length),
        count=None if count is None else number_of(count["top"] or count["show"] or count["most"]),
        sentences=None if sentences is None else number_of(sentences["number"]),
        people=people,
        country=country,
        quoted=quoted,
        files=files,
        amount="" if amount is None else amount.text,
    )


def _minutes(match: re.Match[str]) -> int:
    if match["half"]:
        return 30
    if match["andhalf"]:
        return 90
    if match["quarter"]:
        return 15
    number = match["number"].replace(",", ".")
    amount = float(number) if re.fullmatch(r"[\d.]+", number) else float(number_of(number))
    return max(1, round(min(amount * (60 if match["unit"].lower().startswith("h") else 1), 24 * 60)))


def _people(text: str, marks: list[tuple[int, int, str]]) -> tuple[str, ...]:
    """Names said to be met, written to or spoken of; addresses as they are."""
    found: dict[str, None] = dict.fromkeys(_EMAIL.findall(text))
    blanked = text
    for start, end, _ in marks:
        blanked = blanked[:start] + ";" * (end - start) + blanked[end:]
    for pattern in (_WITH, _AND_I, _TO_WHOM):
        for match in pattern.finditer(blanked):
            for part in _SPLIT.split(match["names"]):
                name = re.sub(r"['\u2019]s$", "", part.strip())
                name = _VERB.sub("", name)
                first = name.split(" ")[0].lower()
                if not name or first in _NOBODY or name.lower() in countries():
                    continue
                found[name] = None
    return tuple(found)[:10]


def _country(text: str) -> str:
    """The ISO code of a country that is named."""
    words = re.findall(r"[\w'.-]+", text)
    known = countries()
    for size in (3, 2, 1):
        for start in range(len(words) - size + 1):
            name = " ".join(words[start : start + size])
            if name[0].isupper() and len(name) > 2 and name.lower() in known:
                return known[name.lower()]
    return ""


def _masked(text: str, marks: list[tuple[int, int, str]], *, lower: bool = False) -> str:
    pieces, last = [], 0
    for start, end, word in sorted(marks):
        between = text[last:start]
        pieces += [between.lower() if lower else between, word]
        last = end
    pieces.append(text[last:].lower() if lower else text[last:])
    return " ".join(" ".join(pieces).split())
