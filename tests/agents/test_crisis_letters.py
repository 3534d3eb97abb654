"""A crisis is told of in the reader's language and form, and where that cannot be, in English, said so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pea.agents._crisis_letters import Chosen, body, chosen, language_of, of_all
from pea.workspace.customs import shipped as customs
from pea.workspace.playbooks import Audience, Playbook, parse, shipped
from pea.workspace.playbooks_letters import LANGUAGES
from pea.workspace.playbooks_letters import shipped as letters
from tests.agents.test_crisis import warm

PLAYBOOKS = {one.name: one for one in shipped().playbooks}
BREACH = PLAYBOOKS["data-breach"]
BOARD = next(one for one in BREACH.audiences if one.who == "board")
STAFF = next(one for one in BREACH.audiences if one.own)
# Words that a German sentence may begin with and that are written small after the comma of a salutation.
SMALL = {"Wir", "Unser", "Unsere", "Eines", "Einer", "Es", "Ich", "Der", "Die", "Heute", "Bitte", "Jemand"}
# What would be the other form of address in words to one person.
FAMILIAR = {"de": r"\b(?:du|dich|dir|dein\w*)\b", "fr": r"\b(?:tu|te|toi|tes|ton)\b", "es": r"\b(?:tú|te|tu|tus|ti)\b"}
FAMILIAR |= {"it": r"\b(?:tu|ti|tuo|tua)\b", "nl": r"\b(?:je|jij|jou|jouw)\b", "pt": r"\b(?:tu|teu|tua|contigo)\b"}
POLITE = {"es": r"\b(?:usted|le|su|sus|suyos)\b", "nl": r"\b(?:u|uw)\b"}


def letter(country: str, audience: Audience = BOARD, person: str = "Carlos Ruiz", *, formal: bool, **more: Any) -> str:
    language, spoken = language_of(country, customs())
    tongue = chosen(BREACH, audience, country, language, spoken, own=False, formal=formal)
    terms = {"regret_first": False, "plainly": True, "family_first": False, "me": "Nora"} | more
    return body(audience, person, tongue, customs(), formal=formal, **terms)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_has_its_words(language: str) -> None:
    """The same playbooks, audiences and fields as in English: what says nothing there says nothing here."""
    ours = letters(language)
    assert set(ours.playbooks) == set(PLAYBOOKS)
    assert ours.staff
    assert ours.context
    for name, playbook in PLAYBOOKS.items():
        words = ours.words(name)
        assert ours.title(name)
        assert set(words) == {one.who for one in playbook.audiences}
        for audience in playbook.audiences:
            told = words[audience.who]
            for field in ("facts", "regret", "next"):
                assert bool(getattr(told, field)) == bool(getattr(audience, field)), (name, audience.who, field)
                assert not getattr(told.informal, field) or getattr(told, field), (name, audience.who, field)
                assert getattr(told, field)[-1:] in ("", "."), (name, audience.who, field)


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_form_of_address(language: str) -> None:
    """A letter has one form of address: the formal words have none of the familiar ones, nor the reverse."""
    for name, playbook in PLAYBOOKS.items():
        for audience in playbook.audiences:
            told = letters(language).words(name)[audience.who]
            formal, informal = told.said(formal=True), told.said(formal=False)
            if not audience.own:
                text = f"{formal.facts} {formal.regret} {formal.next}"
                assert not re.search(FAMILIAR[language], text), (name, audience.who)
            if not audience.own and language in POLITE and audience.who not in ("authority", "bank"):
                text = f"{informal.facts} {informal.regret} {informal.next}"
                assert not re.search(POLITE[language], text), (name, audience.who)


def test_small_letters_after_a_comma() -> None:
    """In German a letter goes on in small letters, so nothing that may come first begins with a noun or with Sie."""
    german = letters("de")
    firsts = [german.context]
    for name in PLAYBOOKS:
        firsts += [text for told in german.words(name).values() for text in (told.facts, told.regret) if text]
    assert {text.split()[0] for text in firsts} <= SMALL
    assert "Guten Tag Carlos Ruiz,\n\nwir haben" in letter("DE", formal=True)
    assert "Liebe Kolleginnen und Kollegen,\n\nich weiß" in letter("DE", STAFF, "", formal=True, regret_first=True)
    assert "Estimado/a Carlos Ruiz:\n\nHemos" in letter("MX", formal=True)


@pytest.mark.parametrize(
    ("country", "formal", "has"),
    [
        ("ES", False, ("Hola Carlos:", "comunicarte", "Te escribiré", "Saludos\nNora")),
        ("MX", True, ("Estimado/a Carlos Ruiz:", "comunicarle", "Le escribiré", "Atentamente\nNora")),
        ("NL", False, ("Hallo Carlos,", "Ik schrijf je", "Groeten\nNora")),
        ("FR", True, ("Bonjour Carlos Ruiz,", "Je vous écrirai", "distinguées\nNora")),
        ("IT", True, ("Gentile Carlos Ruiz,\n\nabbiamo", "doverLe", "Cordiali saluti\nNora")),
        ("PT", True, ("Prezado/a Carlos Ruiz,", "Verificámos", "Atenciosamente\nNora")),
        ("AT", True, ("Guten Tag Carlos Ruiz,", "Ich schreibe Ihnen", "Mit freundlichen Grüßen\nNora")),
        ("US", False, ("Dear Carlos,", "We have found", "Best regards\nNora")),
    ],
)
def test_language_and_form_of_a_country(country: str, formal: bool, has: tuple[str, ...]) -> None:
    """Salutation, words and closing are of one language and one form of address."""
    text = letter(country, formal=formal)
    for one in has:
        assert one in text


@pytest.mark.parametrize(
    ("country", "why"),
    [
        ("", "in English: the country is not known"),
        ("PL", "in English: there are no words in Polish"),
        ("BE", "in English: BE has Dutch and French and German"),
        ("GB", "in English"),
        ("XX", "in English: XX has no official language that is known"),
    ],
)
def test_english_where_it_cannot_be_another(country: str, why: str) -> None:
    """And the draft says why: nobody is written to in a language by guess."""
    language, spoken = language_of(country, customs())
    assert chosen(BREACH, BOARD, country, language, spoken, own=False, formal=True) == Chosen("en", why)


def test_colleagues_share_a_language_or_english() -> None:
    """One notice to all: in the language of all whose country is known."""
    assert of_all([("DE", "de", "German"), ("AT", "de", "German"), ("", "", "")])[1] == "de"
    assert of_all([("DE", "de", "German"), ("FR", "fr", "French")]) == ("", "", "")
    assert of_all([]) == ("", "", "")


def test_a_users_playbook_speaks_for_itself() -> None:
    """What ships tells of other facts: only the languages that the user wrote count, others are told in theirs."""
    text = (
        "playbooks: [{name: data-breach, title: Ours, titles: {de: Unser}, severity: 1, contain_within: 1h, "
        "actions: [{id: a, what: w, role: r, takes: [1m, 1m, 1m]}], audiences: [{who: board, within: 1h, "
        "facts: It is so., languages: {de: {facts: Es ist so.}, pl: {facts: Tak jest.}}}]}]"
    )
    (playbook,) = parse(text.encode()).playbooks
    found = {code: said(playbook, code) for code in ("de", "pl", "fr")}
    assert [one.language for one in found.values()] == ["de", "pl", "en"]
    assert found["de"].letter is not None
    assert found["de"].letter.title == "Unser"
    assert found["fr"].why == "in English: there are no words in French in your playbook"
    german = body(playbook.audiences[0], "Eva Voss", found["de"], customs(), formal=True, regret_first=False,
                  plainly=True, family_first=False, me="Nora")  # fmt: skip
    assert german == "Guten Tag Eva Voss,\n\nes ist so.\n\nMit freundlichen Grüßen\nNora"


def said(playbook: Playbook, code: str) -> Chosen:
    names = {"de": "German", "pl": "Polish", "fr": "French"}
    return chosen(playbook, playbook.audiences[0], "XX", code, names[code], own=True, formal=True)


async def test_a_response_has_them(tmp_path: Path) -> None:
    """From the address book's countries to the drafts: language, subject, words, form, and the reason."""
    people = [("Ana Gil", "ana@kunde.es", "Spain"), ("Jan Bos", "jan@klant.nl", "Netherlands")]
    people += [("Ewa Lis", "ewa@klient.pl", "Poland")]
    cards = [
        f"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:{name}\r\nTITLE:Procurement\r\nORG:X\r\nEMAIL:{email}\r\n"
        f"ADR:;;;;;;{country}\r\nEND:VCARD\r\n"
        for name, email, country in people
    ]
    (tmp_path / "contacts").mkdir()
    (tmp_path / "contacts" / "all.vcf").write_text("".join(cards))
    told = await warm(tmp_path, tmp_path / "state", "crisis.respond", what="The portal is down, customers call")
    drafts = {one.person: one for one in told.messages if one.person}
    assert [drafts[name].language for name, *_ in people] == ["es", "nl", "en"]
    assert drafts["Ana Gil"].subject == "Nuestro servicio está interrumpido"
    assert drafts["Ana Gil"].body.startswith("Hola Ana:")
    assert "in Spanish" in drafts["Ana Gil"].why
    assert "voor je niet bereikbaar" in drafts["Jan Bos"].body
    assert drafts["Ewa Lis"].body.startswith("Dear Ewa Lis,")
    assert "in English: there are no words in Polish" in drafts["Ewa Lis"].why
