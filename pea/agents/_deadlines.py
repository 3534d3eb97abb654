"""By when: deadline words in a mail become a day (and an hour, when one is named), counted from the mail's own date."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta

import msgspec

from pea.workspace.text import find_dates

_DAYS = {
    name: number
    for number, names in enumerate(
        (
            "monday mon montag", "tuesday tue tues dienstag", "wednesday wed mittwoch", "thursday thu thurs donnerstag",
            "friday fri freitag", "saturday sat samstag sonnabend", "sunday sun sonntag",
        )
    )
    for name in names.split()
}  # fmt: skip
_DAY = "|".join(sorted(_DAYS, key=len, reverse=True))
# Words after which a day is when something is due, not when something happens.
_BY = (
    r"(?:\b(?:by|before|until|till|no later than|not later than|at the latest (?:by|on)|due(?: (?:on|by|date is))?|"
    r"deadline(?: (?:is|for [\w ]{1,30} is|of))?:?|latest|on or before|bis(?: zum| spätestens)?|spätestens(?: am|"
    r" bis)?|"
    r"vor dem|d['\u2019]ici|avant(?: le)?)\s+)"
)
_PART = r"(?:\s+(?P<part>morning|noon|lunch(?:time)?|afternoon|evening|night|eod|cob))?"
_RELATIVE = re.compile(
    rf"(?<!\w)(?P<by>{_BY})?(?:the\s+|(?P<which>this|next|coming|diesen|nächsten|kommenden)\s+)?(?:"
    rf"(?P<day>{_DAY})\b{_PART}"
    r"|(?P<word>day after tomorrow|übermorgen|tomorrow|morgen|today|tonight|this (?:morning|afternoon|evening)|heute)\b"
    r"|(?P<close>(?:end|close) of (?:the\s+)?(?:business|(?:this |next )?(?:day|week|month|quarter))|eod|cob|eow|eom|"
    r"ende (?:der|dieser) woche|ende des monats|week'?s end)\b"
    rf"(?:\s+(?:on\s+)?(?P<closing>tomorrow|today|{_DAY})\b)?"
    r"|(?P<next>week|month|woche)\b"
    r"|(?P<nth>\d\d?)(?:st|nd|rd|th)\b(?!\s+(?:of\s+)?[A-Z])"
    r")",
    re.IGNORECASE,
)
_WITHIN = re.compile(
    r"\b(?:within|in(?:side)? the next|over the next|innerhalb von|binnen)\s+(?:the next\s+)?"
    r"(?P<n>\d{1,3}|one|two|three|four|five|six|seven|ten|a|an|the)\s+(?P<unit>hours?|(?:working |"
    r"business )?days?|weeks?|"
    r"stunden?|tagen?|wochen?)\b",
    re.IGNORECASE,
)
_ASAP = re.compile(
    r"\b(?:asap|as soon as possible|right away|immediately|urgent(?:ly)?|so bald wie möglich)\b", re.IGNORECASE
)
_CLOCK = re.compile(
    r"\s*,?\s*\(?(?:(?:at|by|before|until|um|bis|à)\s+)?(?P<h>\d\d?)(?:[:.](?P<m>\d\d))?\s*(?P<ap>[ap]\.?m\b\.?|"
    r"uhr|h\b)?",
    re.IGNORECASE,
)
_CLOCK_BEFORE = re.compile(
    r"\b(?P<h>\d\d?)(?:[:.](?P<m>\d\d))?\s*(?P<ap>[ap]\.?m\.?|uhr)?\s*,?\s*(?:on\s+)?$", re.IGNORECASE
)
_NOON = re.compile(r"\s+(?:at\s+)?(noon|morning|lunch(?:time)?|afternoon|evening|eod|cob)\b", re.IGNORECASE)
_BEFORE = re.compile(rf"{_BY}(?:[\w,]+\s+){{0,3}}?$", re.IGNORECASE)
# One of these is in whatever the expressions above find: most sentences need not be searched.
_TELLING = frozenset(
    (
        *"0123456789", *_DAYS, "tomorrow", "übermorgen", "morgen", "today", "tonight", "heute", "morning", "afternoon",
        "evening", "end", "close", "eod", "cob", "eow", "eom", "ende", "week", "weeks", "month", "woche", "wochen",
        "hour", "hours", "day", "days", "stunde", "stunden", "tage", "tagen", "asap", "soon", "right", "immediately",
        "urgent", "urgently", "bald",
    )
)  # fmt: skip
_TOKEN = re.compile(r"[^\W\d_]+|\d")
_NEAR = 160  # characters before a day among which the word that makes it a deadline stands
_NUMBERS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "ten": 10,
    "a": 1,
    "an": 1,
    "the": 1,
}
_HOURS = {"morning": time(12), "noon": time(12), "lunch": time(12), "lunchtime": time(12), "afternoon": time(17)}
_CLOSE = time(17)  # the end of a business day, where nothing else is said


class Deadline(msgspec.Struct, frozen=True):
    """When something is due: the day, the hour when one is named, and the words that say so.

    ``soft`` is true when the words name a day in a request without saying "by" it.
    """

    day: date
    hour: time | None
    words: str
    soft: bool = False

    @property
    def order(self) -> tuple[date, time]:
        """For sorting: a day without an hour ends at midnight."""
        return self.day, self.hour or time.max


def find_deadline(texts: Iterable[str], sent: datetime, *, is_request: Callable[[str], bool]) -> Deadline | None:
    """The earliest deadline that sentences name, counted from when the mail was sent; one past by then is none.

    A day counts when a word such as "by" precedes it, or when it stands in a sentence that asks for something.
    """
    found: list[Deadline] = []
    # Only the sender's own day and hour count; aware times of one instant would be one key to the cache below.
    local = sent.replace(tzinfo=None)
    for text in texts:
        if not _TELLING.isdisjoint(_TOKEN.findall(text.lower())):
            found += _in_sentence(text, local, asks=is_request(text))
    # What is due by a word such as "by" outranks days that a request merely mentions.
    hard = [one for one in found if not one.soft]
    ahead = [one for one in hard or found if one.day >= sent.date()]
    return min(ahead, key=lambda one: one.order, default=None)


def _in_sentence(text: str, sent: datetime, *, asks: bool) -> tuple[Deadline, ...]:
    found: list[Deadline] = []
    base = sent.date()
    for moment in find_dates(text, base):
        by = _BEFORE.search(text, max(moment.start - _NEAR, 0), moment.start) is not None
        if by or asks:
            end = moment.start + len(moment.text)
            words = _words(text, moment.start, end)
            found.append(Deadline(moment.day, _clock(text, moment.start, end), words, soft=not by))
    if found:
        return tuple(found)
    for match in _RELATIVE.finditer(text):
        sure = bool(match["by"] or match["close"])
        if not (sure or asks) or ((match["nth"] or match["next"]) and not (match["by"] or match["which"])):
            continue
        day = _day(match, base)
        if day is not None:
            hour = _clock(text, match.start(), match.end()) or _hour(match)
            found.append(Deadline(day, hour, _words(text, match.start(), match.end()), soft=not sure))
    found.extend(_within(match, sent) for match in _WITHIN.finditer(text))
    hurry = _ASAP.search(text)
    if hurry and asks and not found:
        found.append(Deadline(base, None, hurry[0], soft=True))
    return tuple(found)


def _day(match: re.Match[str], base: date) -> date | None:
    which = (match["which"] or "").lower()
    if match["day"]:
        return _weekday(base, _DAYS[match["day"].lower()], which)
    if match["word"]:
        word = match["word"].lower()
        ahead = 2 if word in ("day after tomorrow", "übermorgen") else 1 if word in ("tomorrow", "morgen") else 0
        return base + timedelta(days=ahead)
    if match["close"]:
        named = (match["closing"] or "today").lower()
        if named in _DAYS:
            return _weekday(base, _DAYS[named], "")
        return base + timedelta(days=1) if named == "tomorrow" else _closing(match["close"].lower(), base)
    if match["next"]:
        unit = match["next"].lower()
        if unit == "month":
            return _month_end(base if which == "this" else _month_end(base) + timedelta(days=1))
        return _weekday(base, 4, "this") + timedelta(days=7 if which in ("next", "nächsten", "kommenden") else 0)
    number = int(match["nth"])
    for start in (base, _month_end(base) + timedelta(days=1)):
        if number <= calendar.monthrange(start.year, start.month)[1] and start.replace(day=number) >= base:
            return start.replace(day=number)
    return None


def _weekday(base: date, weekday: int, which: str) -> date:
    """The named day ahead. On a Friday "Friday" means the next one, "this Friday" today; "next" is next week's."""
    ahead = (weekday - base.weekday()) % 7
    if which in ("next", "nächsten"):
        return base + timedelta(days=7 - base.weekday() + weekday)
    if ahead == 0 and which not in ("this", "diesen"):
        ahead = 7
    return base + timedelta(days=ahead)


def _closing(words: str, base: date) -> date:
    if "month" in words or words in ("eom", "ende des monats"):
        return _month_end(_month_end(base) + timedelta(days=1) if "next" in words else base)
    if "quarter" in words:
        return _month_end(base.replace(month=(base.month - 1) // 3 * 3 + 3, day=1))
    if "week" in words or "woche" in words or words == "eow":
        friday = base + timedelta(days=(4 - base.weekday()) % 7)
        return friday + timedelta(days=7 if "next" in words else 0)
    return base


def _month_end(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def _within(match: re.Match[str], sent: datetime) -> Deadline:
    count = _NUMBERS.get(match["n"].lower()) or int(match["n"])
    unit = match["unit"].lower()
    if unit.startswith(("hour", "stunde")):
        until = sent + timedelta(hours=count)
        return Deadline(until.date(), until.time().replace(second=0, microsecond=0, tzinfo=None), match[0])
    if unit.startswith(("week", "woche")):
        return Deadline(sent.date() + timedelta(weeks=count), None, match[0])
    day = sent.date()
    working = unit.startswith(("working", "business"))
    while count:
        day += timedelta(days=1)
        count -= not working or day.weekday() < 5
    return Deadline(day, None, match[0])


def _hour(match: re.Match[str]) -> time | None:
    if match["part"]:
        return _HOURS.get(match["part"].lower(), _CLOSE)
    if match["close"]:
        return _CLOSE
    return None


def _clock(text: str, start: int, end: int) -> time | None:
    """An hour beside a day: ``at 5pm``, ``, 17:00``, ``noon``, or ``5pm`` before it; a bare number is none."""
    after = text[end : end + 30]
    part = _NOON.match(after)
    if part:
        return _HOURS.get(part[1].lower(), _CLOSE)
    match = _CLOCK.match(after)
    if match is None or not (match["m"] or match["ap"]):
        match = _CLOCK_BEFORE.search(text[max(0, start - 20) : start])
    if match is None or not (match["m"] or match["ap"]):
        return None
    hour, minute, suffix = int(match["h"]), int(match["m"] or 0), (match["ap"] or "").lower()
    if suffix.startswith("p") and hour < 12:
        hour += 12
    elif suffix.startswith("a") and hour == 12:
        hour = 0
    return time(hour, minute) if hour < 24 and minute < 60 else None


def _words(text: str, start: int, end: int) -> str:
    """The deadline as it was written, with the word that made it one."""
    before = _BEFORE.search(text, max(start - _NEAR, 0), start)
    return text[before.start() if before else start : end].strip(" ,.;:")
