"""A capability's arguments from what a request names, by the names and schemas of its fields."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import msgspec

from pea.agents._ask_days import When
from pea.agents._ask_rank import book, terms_of
from pea.agents._ask_slots import Slots

_OF_SHELLS = frozenset("'\"\\$`;&|<>()*?[]{}!#~\n\t")

_TOKEN = re.compile(r"\S+")
_EDGE = " \t.,;:!?\u2026()[]"
_SAYS_LITTLE = """
    please the a an of in on at for to from about with by and or my our your me us i we you is are was were be do
    does did can could would should will shall may have has had what what's whats which who where where's wheres
    when how that this those these it its there any some all anything everything something much many named called
    titled regarding concerning over under into give show tell get list want need like say says know see let let's
    one hey hi hello pea thanks thank just quickly kindly through up out related information info details data
    spend spent pay paid file document look search find open read check key main points point gist
"""
_LITTLE = frozenset(_SAYS_LITTLE.split())
ASKED = {
    "document": "Which document?", "other": "Which document should it be compared with?",
    "query": "What should be found?",
    "question": "What is the question?", "topic": "About what?", "message": "Which conversation?",
    "person": "Which person?", "people": "With whom?", "key": "Which one?", "namespace": "Where is it kept?",
}  # fmt: skip


def fill(offer: Any, slots: Slots, today: date) -> tuple[dict[str, Any], list[str]]:
    """The arguments that the request gives, and the names of those it must give and does not."""
    fields: Mapping[str, Mapping[str, Any]] = offer.fields
    found: dict[str, Any] = {}
    if slots.when is not None:
        found.update(_days(fields, slots.when, today))
    for name, value in _plain(slots).items():
        if name in fields and value not in (None, "", ()):
            found[name] = _bounded(value, fields[name])
    takes = _taken(offer.name, fields, offer.required)
    if takes and takes not in found:
        text = _rest(offer, takes, slots)
        if text:
            found[takes] = text
    if "other" in fields and "other" not in found and "document" in found:
        found.update(_two(str(found["document"])))
    return found, [name for name in offer.required if name not in found]


def _plain(slots: Slots) -> dict[str, Any]:
    people = slots.people
    return {
        "minutes": slots.minutes,
        "focus_minutes": slots.minutes,
        "limit": slots.count,
        "count": slots.count,
        "sentences": slots.sentences,
        "people": list(people),
        "person": people[0] if people else "",
        "country": slots.country if not people else "",
        "countries": [slots.country] if slots.country else (),
        "document": slots.files[0] if slots.files else "",
        "other": slots.files[1] if len(slots.files) > 1 else "",
    }


def _days(fields: Mapping[str, Any], when: When, today: date) -> dict[str, Any]:
    """The fields that speak of days, as these days."""
    found: dict[str, Any] = {}
    if "month" in fields:
        found["month"] = f"{when.first:%Y-%m}"
    if "since" in fields:
        found["since"] = when.first.isoformat()
        if "until" in fields and when.shape != "since":
            found["until"] = when.last.isoformat()
        if "days" in fields and "until" not in fields:
            found["days"] = _bounded(when.days, fields["days"])
    elif "day" in fields:
        first = today if when.first < today <= when.last and when.shape in ("month", "days") else when.first
        found["day"] = first.isoformat()
        if "days" in fields and when.last > first:
            found["days"] = _bounded((when.last - first).days + 1, fields["days"])
    elif "days" in fields and when.last >= today:
        found["days"] = _bounded(max(1, (when.last - today).days + (when.shape in ("ahead", "day"))), fields["days"])
    return found


def _bounded(value: Any, field: Mapping[str, Any]) -> Any:
    """A number within what the field's schema allows."""
    if not isinstance(value, int):
        return value
    for part in (field, *field.get("anyOf", ())):
        value = max(part.get("minimum", value), min(part.get("maximum", value), value))
    return value


def _taken(name: str, fields: Mapping[str, Any], required: tuple[str, ...]) -> str:
    """The field that is given the rest of the request: what the book says, else the only text that is required."""
    entry = book().get(name)
    if entry is not None:
        return entry.takes if entry.takes in fields else ""
    texts = [one for one in required if fields[one].get("type") == "string" and "format" not in fields[one]]
    return texts[0] if len(texts) == 1 else ""


def _rest(offer: Any, takes: str, slots: Slots) -> str:
    if takes == "question":
        return slots.text
    if slots.quoted:
        return f'"{slots.quoted[0]}"' if takes == "query" and offer.name == "documents.search" else slots.quoted[0]
    entry = book().get(offer.name)
    own = set(terms_of(f"{offer.name.replace('.', ' ')} {'' if entry is None else entry.words}".lower()))

    def begins(word: str) -> bool:
        plain = word.strip(_EDGE).lower()
        return plain in _LITTLE or not plain or bool(set(terms_of(plain)) & own)

    def ends(word: str) -> bool:
        return word.strip(_EDGE).lower() in _LITTLE

    return _trimmed(slots.rest, begins, ends)


def _trimmed(text: str, begins: Callable[[str], bool], ends: Callable[[str], bool]) -> str:
    """The text without the words at its edges that only ask for it."""
    words = _TOKEN.findall(text)
    while words and begins(words[0]):
        words.pop(0)
    while words and ends(words[-1]):
        words.pop()
    return " ".join(words).strip(_EDGE)


def _two(text: str) -> dict[str, str]:
    """Two documents named in one breath."""
    parts = re.split(r"\s+(?:with|and|to|against|versus|vs\.?)\s+(?:the\s+)?", text, maxsplit=1, flags=re.IGNORECASE)
    return {"document": parts[0], "other": parts[1]} if len(parts) == 2 and all(parts) else {}


def said(arguments: Mapping[str, Any]) -> str:
    """The arguments as ``key=value`` words for a person."""
    return " ".join(f"{name}={_word(value)}" for name, value in arguments.items())


def _word(value: Any) -> str:
    """A value as `pea run` reads it, and as a shell hands it over."""
    if isinstance(value, list) and all(isinstance(one, str) and one and "," not in one for one in value):
        text = ",".join(value)
    else:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if _OF_SHELLS.isdisjoint(text):
        return f'"{text}"' if " " in text else text
    return shlex.quote(text)
