"""Which documents a meeting is about: what to search for, and which of the finds are worth showing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from pea import Outcome
from pea.agents._briefing import Paper
from pea.agents._briefing_views import Entry, Hit, Search
from pea.workspace.files import SourceReport

NO_MEETING = ""
MEETINGS_SEARCHED = 8
PER_MEETING = 2
LONG = 6  # letters; shorter words are too common to stand for a subject alone
LEAST_SCORE = 0.5  # of the best find's: less is a passing mention
# Words of a title that say what kind of meeting it is, or nothing at all, and not what it is about; accents folded.
_GENERAL = """
    about after agenda all and breakfast call catch check coffee conference daily day decision decisions diary dinner
    discussion flight for from hotel interview intro into kick lunch meet meeting monthly moved new office on online
    open our review run session standup sync talk team the time train trip update visit video weekly with zoom
    und mit der die das fur von zum zur besprechung termin mittagessen
"""
_GENERAL_WORDS = frozenset(_GENERAL.split())
_WORD = re.compile(r"[^\W_]+")
_MARKED = re.compile(r"\*\*(.+?)\*\*")


class Papers(msgspec.Struct, frozen=True):
    """The documents of the day's meetings; ``failed`` counts the meetings that could not be searched for."""

    items: tuple[Paper, ...]
    sources: SourceReport | None = None
    failed: int = 0
    error: Exception | None = None


def questions(entries: Iterable[Entry]) -> list[tuple[str, str]]:
    """The titles of the meetings most likely to have papers, and the words to search for, in the day's order.

    Those with other people and with more to say for themselves come before others.
    """
    told = [(entry, words) for entry in entries if (words := query(entry))]
    likely = sorted(told, key=lambda one: (one[0].others == 0, -min(2, len(one[1].split()))))[:MEETINGS_SEARCHED]
    return list(dict.fromkeys((entry.title, words) for entry, words in told if (entry, words) in likely))


def gathered(asked: Sequence[tuple[str, str]], found: Mapping[str, Outcome[Search]]) -> Papers:
    """The searches' answers together, by meeting; raises what the searches raised when all of them failed.

    ``asked`` are the meetings' titles and the words searched for, ``found`` the outcomes by those words.
    """
    errors = [found[words].error for _, words in asked if not found[words].ok]
    if errors and len(errors) == len(asked) and errors[0] is not None:
        raise errors[0]
    answers = [(title, words, found[words].value) for title, words in asked]
    about = [(title, words, search) for title, words, search in answers if search and title != NO_MEETING]
    items = [paper for title, words, search in about for paper in relevant(title, words, search)]
    reports = [search.sources for _, _, search in answers if search]
    return Papers(tuple(items), reports[-1] if reports else None, len(errors), errors[0] if errors else None)


def query(entry: Entry) -> str:
    """The words of an entry's title that say what it is about; empty when none do, or it will not be attended."""
    nameless = entry.title.startswith("(") and entry.title.endswith(")")  # "(no title)", "(private)"
    if nameless or entry.all_day or entry.response == "declined" or entry.status == "cancelled":
        return ""
    return " ".join(dict.fromkeys(word for word in _WORD.findall(entry.title) if _telling(word)))


def relevant(meeting: str, words: str, found: Search) -> list[Paper]:
    """The finds that are about the meeting, best first.

    A document is about a meeting when its name holds the title's first word, if that is a long one, or any word while
    another is in it too. When there is none such, one whose passage says at least three of the words together will do.
    """
    first, *_ = plain = [_plain(word) for word in words.split()]
    asked = set(plain)
    named: list[Hit] = []
    said: list[Hit] = []
    for hit in found.hits:
        if hit.score < LEAST_SCORE * found.hits[0].score:
            continue
        name = _among(asked, f"{hit.title} {hit.path}")
        held = name | _among(asked, " ".join(_MARKED.findall(hit.snippet)))
        telling = first in name and len(first) >= LONG
        if name and (telling or found.all_words or len(held) >= min(2, len(asked))):
            named.append(hit)
        elif len(held) >= 3:
            said.append(hit)
    return [_paper(hit, meeting) for hit in (named or said)[:PER_MEETING]]


def _paper(hit: Hit, meeting: str) -> Paper:
    """A find, without what would be said twice or marks a word."""
    place = hit.place.removesuffix(f" under \N{LEFT DOUBLE QUOTATION MARK}{hit.title}\N{RIGHT DOUBLE QUOTATION MARK}")
    return Paper(hit.title, hit.path, place, _MARKED.sub(r"\1", hit.snippet), meeting)


def _telling(word: str) -> bool:
    plain = _plain(word)
    return plain not in _GENERAL_WORDS and (
        len(plain) > 2 or (len(plain) == 2 and not plain.isalpha() and not plain.isdigit())
    )


def _among(asked: set[str], text: str) -> set[str]:
    """Which of the words asked for the text holds, whole or as the beginning of a longer one."""
    held = {_plain(word) for word in _WORD.findall(text)}
    return {word for word in asked if any(other.startswith(word) or _same_stem(word, other) for other in held)}


def _same_stem(word: str, other: str) -> bool:
    return len(other) > 3 and word.startswith(other) and len(word) - len(other) <= 2


def _plain(word: str) -> str:
    """Without case and accents, as the index folds them."""
    word = word.casefold()
    if word.isascii():
        return word
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
