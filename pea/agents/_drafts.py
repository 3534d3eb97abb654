"""A reply drafted from templates, in the language of the mail and as formal as the user writes to this person.

Formality is read from what the user wrote to the person before, else from how the person greets the user; the words
that decided are quoted. Nothing is sent, and of the mail's own text the draft holds only quotations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from pea.agents._letter_views import Draft, Formality, Intent, Language
from pea.agents._people import Me, is_mine
from pea.workspace.mail import Message, Thread

QUOTED_LINES = 60
_FORMAL = re.compile(
    r"^\s*(?:dear (?:mr|mrs|ms|dr|prof|sir|madam)\b|sehr geehrte|guten (?:tag|morgen) (?:herr|frau)|"
    r"(?:cher|ch(?:è|e)re) (?:monsieur|madame)|(?:bonjour )?(?:monsieur|madame)\b)|\b(?:ihnen|ihre[rmns]?|"
    r"yours (?:sincerely|faithfully)|mit freundlichen gr(?:ü|ue)(?:ß|ss)en|cordialement)\b",
    re.IGNORECASE | re.MULTILINE,
)
_INFORMAL = re.compile(
    r"^\s*(?:hi|hey|hello|hallo|liebe[rs]?|lieber|salut|coucou|moin|dear \w+,)\b|\b(?:cheers|lg|"
    r"viele? gr(?:ü|ue)(?:ß|ss)e|bises|(?:dir|dich|deine[rmns]?)\b)",
    re.IGNORECASE | re.MULTILINE,
)
_GERMAN = re.compile(r"\b(?:und|nicht|ich|wir|sie|bitte|für|mit|eine[rn]?|können|danke|grüße|ist)\b", re.IGNORECASE)
_FRENCH = re.compile(r"\b(?:vous|nous|merci|pour|avec|est|une|les|pouvez|bonjour|cordialement)\b", re.IGNORECASE)
_ENGLISH = re.compile(r"\b(?:the|and|you|we|please|thanks|with|for|is|can|could|would)\b", re.IGNORECASE)

_GREETINGS: dict[tuple[Language, Formality], str] = {
    ("en", "formal"): "Dear {full},", ("en", "informal"): "Hi {first},",
    ("de", "formal"): "Guten Tag {full},", ("de", "informal"): "Hallo {first},",
    ("fr", "formal"): "Bonjour {full},", ("fr", "informal"): "Bonjour {first},",
}  # fmt: skip
_CLOSINGS: dict[tuple[Language, Formality], str] = {
    ("en", "formal"): "Kind regards", ("en", "informal"): "Best",
    ("de", "formal"): "Mit freundlichen Grüßen", ("de", "informal"): "Viele Grüße",
    ("fr", "formal"): "Cordialement", ("fr", "informal"): "Bien à toi",
}  # fmt: skip
_BODIES: dict[tuple[Language, Formality], dict[Intent, str]] = {
    ("en", "formal"): {
        "acknowledge": "Thank you for your message. I will look into it and come back to you{by}.",
        "accept": "Thank you for your message. I am happy to agree.",
        "decline": "Thank you for your message. I am afraid I am unable to do this.",
        "postpone": "Thank you for your message. I need a little more time and will come back to you{by}.",
        "answer": "Thank you for your message. To your questions:",
    },
    ("en", "informal"): {
        "acknowledge": "Thanks for your mail. I'll look into it and get back to you{by}.",
        "accept": "Thanks, that works for me.",
        "decline": "Thanks for asking, but I can't make this work.",
        "postpone": "Thanks. I need a bit more time and will get back to you{by}.",
        "answer": "Thanks for your mail. To your questions:",
    },
    ("de", "formal"): {
        "acknowledge": "vielen Dank für Ihre Nachricht. Ich sehe es mir an und melde mich{by} bei Ihnen.",
        "accept": "vielen Dank für Ihre Nachricht. Damit bin ich gern einverstanden.",
        "decline": "vielen Dank für Ihre Nachricht. Leider ist mir das nicht möglich.",
        "postpone": "vielen Dank für Ihre Nachricht. Ich brauche noch etwas Zeit und melde mich{by} bei Ihnen.",
        "answer": "vielen Dank für Ihre Nachricht. Zu Ihren Fragen:",
    },
    ("de", "informal"): {
        "acknowledge": "danke für deine Nachricht. Ich sehe es mir an und melde mich{by}.",
        "accept": "danke, das passt für mich.",
        "decline": "danke für die Anfrage, aber das geht bei mir leider nicht.",
        "postpone": "danke. Ich brauche noch etwas Zeit und melde mich{by}.",
        "answer": "danke für deine Nachricht. Zu deinen Fragen:",
    },
    ("fr", "formal"): {
        "acknowledge": "Merci pour votre message. Je m'en occupe et je reviendrai vers vous{by}.",
        "accept": "Merci pour votre message. Je suis d'accord.",
        "decline": "Merci pour votre message. Malheureusement, cela ne m'est pas possible.",
        "postpone": "Merci pour votre message. J'ai besoin d'un peu plus de temps et je reviendrai vers vous{by}.",
        "answer": "Merci pour votre message. Voici mes réponses :",
    },
    ("fr", "informal"): {
        "acknowledge": "Merci pour ton message. Je m'en occupe et je reviens vers toi{by}.",
        "accept": "Merci, cela me convient.",
        "decline": "Merci, mais je ne peux pas.",
        "postpone": "Merci. J'ai besoin d'un peu plus de temps et je reviens vers toi{by}.",
        "answer": "Merci pour ton message. Voici mes réponses :",
    },
}
_BY: dict[Language, str] = {"en": " by {day}", "de": " bis {day}", "fr": " avant le {day}"}


def draft_of(
    thread: Thread,
    message: Message,
    written_before: Iterable[Message],
    me: Me,
    intent: Intent,
    *,
    points: tuple[str, ...] = (),
    questions: tuple[str, ...] = (),
    by: str = "",
    formality: Formality | None = None,
) -> Draft:
    """Draft a reply to the newest mail of somebody else; ``by`` is a day in words, ``points`` what the user says."""
    language = language_of(message.text)
    tone, because = (formality, "you asked for it") if formality else _tone(message, written_before, me)
    sender = message.reply_to[0] if message.reply_to else message.sender
    full = _plain(sender.name if sender and sender.name else "")
    greeting = _GREETINGS[language, tone].format(full=full, first=full.split()[0] if full else "")
    body = _BODIES[language, tone][intent].format(by=_BY[language].format(day=by) if by else "")
    if intent == "answer" and questions:
        answers = [f"> {question}\n{point}" for question, point in _answered(questions, points)]
        body = "\n\n".join([body, *answers])
    elif points:
        body = "\n\n".join([body, *points])
    closing = f"{_CLOSINGS[language, tone]}{'' if language == 'de' else ','}\n{me.name}".rstrip()
    written = "\n\n".join([greeting.replace(" ,", ","), body, closing])
    everybody = [a.email for a in (*message.to, *message.cc) if a.email and a.email not in me.emails]
    to = (sender.email,) if sender and sender.email else ()
    subject = (
        message.subject if re.match(r"\s*(?:re|aw)\s*:", message.subject, re.IGNORECASE) else f"Re: {thread.subject}"
    )
    draft = Draft(
        to=to,
        cc=tuple(dict.fromkeys(email for email in everybody if email not in to)),
        subject=" ".join(subject.split()),
        in_reply_to=message.id,
        references=(*message.references[-20:], message.id),
        body=f"{written}\n\n{_quoted(message)}",
        language=language,
        formality=tone,
        because=because,
        blanks=tuple(re.findall(r"\[[^\]\n]{1,80}\]", body)),
        text="",
    )
    heads = [
        f"To: {', '.join(draft.to)}",
        *([f"Cc: {', '.join(draft.cc)}"] if draft.cc else []),
        f"Subject: {draft.subject}",
    ]
    about = f"({tone}, because {because}; nothing has been sent)"
    return msgspec.structs.replace(draft, text="\n".join([*heads, "", draft.body, "", about]))


def language_of(text: str) -> Language:
    """The language of a mail among those there are templates for, by its commonest words; English when in doubt."""
    counts: list[tuple[int, Language]] = [
        (len(_ENGLISH.findall(text[:4_000])), "en"),
        (len(_GERMAN.findall(text[:4_000])), "de"),
        (len(_FRENCH.findall(text[:4_000])), "fr"),
    ]
    best, language = max(counts, key=lambda one: one[0])
    return language if best > counts[0][0] else "en"


def _tone(message: Message, written_before: Iterable[Message], me: Me) -> tuple[Formality, str]:
    """How formal to be, by the user's own newest mail to the person that shows it, else by the person's."""
    person = message.sender.email if message.sender else ""
    own = (m for m in written_before if is_mine(m, me) and any(a.email == person for a in (*m.to, *m.cc)))
    for other, whose in (*((m, "you wrote to them") for m in own), (message, "they wrote to you")):
        said = f"{other.text}\n{other.signature}"[:4_000]
        for pattern, tone in ((_FORMAL, "formal"), (_INFORMAL, "informal")):
            match = pattern.search(said)
            if match:
                return (
                    "formal" if tone == "formal" else "informal"
                ), f"{whose} \u201c{' '.join(match[0].split())}\u201d"
    return "formal", "nothing shows how you address each other"


def _answered(questions: tuple[str, ...], points: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    for number, question in enumerate(questions):
        yield " ".join(question.split()), points[number] if number < len(points) else f"[your answer {number + 1}]"
    yield from (("", point) for point in points[len(questions) :])


def _quoted(message: Message) -> str:
    who = message.sender.shown if message.sender else "somebody"
    when = f"{message.date:%d %b %Y %H:%M}" if message.date else "some day"
    lines = message.text.splitlines()
    shown = lines[:QUOTED_LINES] + (
        [f"[… {len(lines) - QUOTED_LINES} more lines]"] if len(lines) > QUOTED_LINES else []
    )
    return "\n".join([f"{_plain(who)}, {when}:", *(f"> {_plain(line)}".rstrip() for line in shown)])


def _plain(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
