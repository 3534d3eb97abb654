"""What a crisis letter says in the reader's language: the words that ship with PEA, or those of the user's playbook."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

import msgspec

from pea.workspace.one_file import yaml_of
from pea.workspace.playbooks import Audience, Playbook, Wording

LANGUAGES = ("de", "es", "fr", "it", "nl", "pt")  # a file of letters/ each


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One audience's words; ``informal`` has those fields that are put otherwise where first names are usual."""

    facts: str
    regret: str = ""
    next: str = ""
    informal: Wording = Wording()

    def said(self, *, formal: bool) -> Wording:
        """The words to somebody who is written to formally or not."""
        if formal:
            return Wording(self.facts, self.regret, self.next)
        own = self.informal
        return Wording(own.facts or self.facts, own.regret or self.regret, own.next or self.next)


class Letters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A language: what colleagues are called, what goes before bad news, and each playbook's title and audiences.

    ``lowers`` says that a letter goes on in small letters after the comma of its salutation.
    """

    language: str
    staff: str
    context: str
    playbooks: dict[str, dict[str, Any]]
    context_informal: str = ""
    lowers: bool = False

    def title(self, playbook: str) -> str:
        """A shipped playbook's title."""
        return str(self.playbooks[playbook]["title"])

    def words(self, playbook: str) -> dict[str, Words]:
        """A shipped playbook's words by audience."""
        return {who: msgspec.convert(told, Words) for who, told in self.playbooks[playbook].items() if who != "title"}


class Letter(msgspec.Struct, frozen=True):
    """The parts of a letter in one language, apart from name and closing; ``staff`` is how colleagues are addressed."""

    language: str
    title: str
    words: Wording
    context: str
    staff: str
    lowers: bool


@functools.lru_cache(maxsize=len(LANGUAGES))
def shipped(language: str) -> Letters:
    """A language of ``LANGUAGES``."""
    path = resources.files("pea.workspace").joinpath(f"letters/{language}.yaml")
    return msgspec.convert(yaml_of(path.read_bytes()), Letters)


def letter(playbook: Playbook, audience: Audience, language: str, *, own: bool, formal: bool) -> Letter | None:
    """The words for an audience in a language, None where there are none.

    ``own`` says that the user wrote the playbook: then only its own ``languages`` count, for what ships tells of other
    facts. A language of theirs that does not ship has no context, and colleagues are addressed by the playbook's words.
    """
    ships = shipped(language) if language in LANGUAGES else None
    if own:
        words = audience.languages.get(language)
        if words is None:
            return None
        title = playbook.titles.get(language, playbook.title)
    elif ships is None:
        return None
    else:
        words = ships.words(playbook.name)[audience.who].said(formal=formal)
        title = ships.title(playbook.name)
    if ships is None:
        return Letter(language, title, words, "", "", lowers=False)
    context = ships.context if formal else ships.context_informal or ships.context
    return Letter(ships.language, title, words, context, ships.staff, lowers=ships.lowers)
