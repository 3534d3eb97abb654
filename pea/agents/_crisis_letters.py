"""In which language somebody is told of a crisis, and the letter itself, in the form of their country."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pea.agents._culture_brief import fill
from pea.agents._names import split_name
from pea.workspace.customs import Customs
from pea.workspace.playbooks import Audience, Playbook, Wording
from pea.workspace.playbooks_letters import Letter, letter

ENGLISH = "en"
CONTEXT = "I am writing to you myself, because this concerns you and I would rather you heard it from us."


class Chosen(msgspec.Struct, frozen=True):
    """A letter's language and why; without a ``letter`` it is in English, in the playbook's own words."""

    language: str
    why: str
    letter: Letter | None = None


def language_of(country: str, customs: Customs) -> tuple[str, str]:
    """A country's one official language, or the user's own word for it, and its English name.

    Where several are official nobody is written to in one of them by guess: the code is empty then.
    """
    if not country:
        return "", ""
    own = customs.custom(country)[0].language
    if own:
        return own, _name(own)
    from babel.languages import get_official_languages

    official = [one.partition("_")[0] for one in get_official_languages(country, regional=False, de_facto=True)]
    return official[0] if len(official) == 1 else "", " and ".join(_name(one) for one in official)


def chosen(
    playbook: Playbook, audience: Audience, country: str, language: str, spoken: str, *, own: bool, formal: bool
) -> Chosen:
    """What to write in to somebody of a country whose language is ``language``."""
    found = letter(playbook, audience, language, own=own, formal=formal) if language not in ("", ENGLISH) else None
    if found is not None:
        return Chosen(language, f"in {found.language}", found)
    if not country:
        why = "in English: the country is not known"
    elif language == ENGLISH:
        why = "in English"
    elif not language:
        why = f"in English: {country} has {spoken or 'no official language that is known'}"
    else:
        why = f"in English: there are no words in {spoken}" + (" in your playbook" if own else "")
    return Chosen(ENGLISH, why)


def of_all(spoken: Iterable[tuple[str, str, str]]) -> tuple[str, str, str]:
    """Country, language and its name that several people share; empty where they have several languages."""
    every = {(language, name): country for country, language, name in spoken if country}
    if len(every) != 1:
        return "", "", ""
    ((language, name), country) = next(iter(every.items()))
    return country, language, name


def body(
    audience: Audience,
    person: str,
    tongue: Chosen,
    customs: Customs,
    *,
    formal: bool,
    regret_first: bool,
    plainly: bool,
    family_first: bool,
    me: str,
) -> str:
    """The whole letter, signed ``me``."""
    phrases, found = customs.phrases(tongue.language), tongue.letter
    words = Wording(audience.facts, audience.regret, audience.next) if found is None else found.words
    if person:
        name = split_name(person, family_first=family_first)
        if found is None:
            salutation = f"Dear {name.full}," if formal else f"Dear {name.given},"
        else:
            salutation = fill(phrases.formal if formal else phrases.informal, name.full, name.given, name.family)
    elif found is not None and audience.own and found.staff:
        salutation = found.staff
    else:
        salutation = "Dear all," if audience.own else f"Dear {audience.who},"
    context = CONTEXT if found is None else found.context
    told = [words.regret, words.facts] if regret_first else [words.facts, words.regret]
    parts = [part for part in ("" if plainly or not person else context, *told, words.next) if part]
    if found is not None and found.lowers and salutation.endswith(",") and parts:
        parts[0] = parts[0][0].lower() + parts[0][1:]
    closing = phrases.closing_formal if formal else phrases.closing
    return "\n\n".join((salutation, *parts, f"{closing}\n{me}".rstrip()))


def _name(language: str) -> str:
    from babel import Locale

    return str(Locale("en").languages.get(language, language))
