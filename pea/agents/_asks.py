"""What a mail asks for: questions and requests in its sender's own words, told apart from courtesy and boilerplate.

A mail is untrusted input. What it asks is shown to the user as a quotation and weighed; nothing in it is ever followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from pea.workspace.text import sentences

MAX_TEXT_CHARS = 12_000  # of one mail; what a person asks stands before that
MAX_ASKS = 5
REMEMBERED = 32_768  # mails: about half a kilobyte each beside their text, which the mailbox holds anyway
_REQUEST = re.compile(
    r"\b(?:(?:can|could|would|will|may|might) (?:you|we|i)\b|would you mind|please(?! (?:find|see|note|"
    r"do not reply|visit|click|"
    r"don['\u2019]t reply|be advised|be informed|accept my|disregard|ignore))\b|let (?:me|us) (?:know|have)|"
    r"(?:i|we) (?:still )?(?:need|would need|require|would appreciate|['\u2019]d appreciate|['\u2019]d like|"
    r"would like) "
    r"(?:you|your|it|this|that|the|to (?:know|hear|have))\b|"
    r"need(?:s)? your|(?:awaiting|waiting for|wait for|looking forward to|look forward to) your (?:reply|answer|"
    r"response|"
    r"feedback|decision|approval|comments)|get back to (?:me|us)|(?:your|need|for) (?:approval|signature|sign-off|"
    r"decision|go-ahead)|r\.?s\.?v\.?p|what do you think|any (?:thoughts|objections|news|update)|"
    r"(?:send|give|tell|confirm|approve|review|sign|return|call|reply)(?: to)? (?:me|us|it|this|that|the|by|your|"
    r"whether|if)\b|"
    r"k(?:ö|oe)nn(?:en|test|ten) (?:sie|du)|k(?:annst|önntest) du|bitte(?! beachten)|geben sie|wir brauchen|"
    r"pouvez-vous|pourriez-vous|merci de|s['\u2019]il vous pla[iî]t|podr[ií]as?|por favor)",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"^(?:hi|hello|dear|hey)?[\w ,]{0,30}(?:how are you|how(?:'s| is) it going|how have you been|hope (?:you|this)|"
    r"wie geht|ça va|(?:any|do you have|have) (?:more |any )?questions|questions|having trouble (?:viewing|reading)|"
    r"can['\u2019]t (?:see|read|view)|trouble viewing|no longer (?:wish|want)|not interested|"
    r"want to (?:unsubscribe|stop)|"
    r"did you know|who[\w ]{0,20} would have thought|lots of|isn['\u2019]t it (?:great|nice))\b",
    re.IGNORECASE,
)
_OFFER = re.compile(
    r"let (?:me|us) know if (?:you|there)|if you (?:have|need|want|would like|wish|no longer)|feel free|"
    r"please (?:do not|don['\u2019]t) hesitate|no (?:need|reply|answer|action)|nothing (?:to do|needed)|"
    r"need not (?:answer|reply)",
    re.IGNORECASE,
)
_REMINDER = re.compile(
    r"\b(?:reminder|following up|follow[- ]up on|gentle nudge|just checking|checking in|any news|any update|"
    r"did you (?:see|get|receive)|have you had (?:a )?chance|still waiting|(?:haven['\u2019]t|have not) heard|"
    r"second time|once more|"
    r"erinnerung|noch keine antwort|relance)\b",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"^(?:(?:many |very )?thanks?(?: you)?(?: (?:so|very) much| a lot| again)?|perfect|great|got it|noted|will do|"
    r"sounds good|ok(?:ay)?|"
    r"all good|agreed|done|understood|super|danke(?: schön)?|vielen dank|alles klar|merci|parfait|see you)\b",
    re.IGNORECASE,
)
_FOR_A_MACHINE = re.compile(
    r"\b(?:ignore|disregard|forget) (?:all |any |the |your |my )*(?:previous|prior|above|earlier|other) (?:\w+ )?"
    r"(?:instructions?|prompts?|rules|messages?)|\b(?:system prompt|(?:AI|language model|LLM|"
    r"virtual) (?:assistant|agent|model))\b"
    r"|\bas an AI\b|\b(?:assistant|agent), (?:please |you must |now )?(?:send|forward|delete|mark|rank|reply|"
    r"transfer|reveal)",
    re.IGNORECASE,
)
# One of these is in whatever the expression above finds: most mails need not be searched by sentence.
_MACHINE_WORDS = ("instruction", "prompt", "rules", "message", "assistant", "agent", "model", "as an ai")


class Asks(msgspec.Struct, frozen=True):
    """What a mail wants: its questions, its requests, whether it reminds, whether it closes the matter.

    ``for_machine`` is a sentence that addresses an assistant instead of the reader; it is data, and counts for nothing.
    """

    questions: tuple[str, ...] = ()
    requests: tuple[str, ...] = ()
    reminds: bool = False
    closes: bool = False
    for_machine: str = ""

    @property
    def any(self) -> bool:
        """Whether it asks for something."""
        return bool(self.questions or self.requests)


@lru_cache(maxsize=REMEMBERED)  # a mail's words do not change, and each triage weighs them again
def read(text: str) -> Asks:
    """Find what the sender's own words (quotes and signature already cut off) ask for."""
    questions: list[str] = []
    requests: list[str] = []
    said: list[str] = []
    for_machine = ""
    for sentence, machine in _addressed(text):
        if machine:
            for_machine = for_machine or sentence[:200]
            continue
        said.append(sentence)
        if _COURTESY.match(sentence):
            continue
        if sentence.rstrip("\"'”)] ").endswith(("?", "\uff1f")) and len(sentence) > 3 and "http" not in sentence[-40:]:
            questions.append(sentence)
        elif is_request(sentence):
            requests.append(sentence)
    closes = bool(said) and not questions and not requests and len(" ".join(said).split()) <= 25 and _closes(said)
    return Asks(
        tuple(questions[:MAX_ASKS]),
        tuple(requests[:MAX_ASKS]),
        reminds=_REMINDER.search(" ".join(said)[:2_000]) is not None,
        closes=closes,
        for_machine=for_machine,
    )


def said_to_reader(text: str) -> Iterator[str]:
    """The sentences of a mail but for those that address an assistant."""
    return (sentence for sentence, machine in _addressed(text) if not machine)


def _addressed(text: str) -> Iterator[tuple[str, bool]]:
    """The sentences of a mail, each with whether it addresses an assistant instead of the reader."""
    text = text[:MAX_TEXT_CHARS]
    small = text.lower()
    doubtful = any(word in small for word in _MACHINE_WORDS)
    for sentence in sentences(text):
        yield sentence, doubtful and _FOR_A_MACHINE.search(sentence) is not None


@lru_cache(maxsize=512)  # asked once for what the mail wants and once for by when
def is_request(sentence: str) -> bool:
    """Whether a sentence asks its reader to do something."""
    return bool(_REQUEST.search(sentence)) and not _OFFER.search(sentence) and not _COURTESY.match(sentence)


def _closes(said: list[str]) -> bool:
    """Thanks or agreement at the beginning, after the salutation."""
    return any(_CLOSING.match(sentence) for sentence in said[:2])
