"""What kind of crisis a report tells of and how grave it is, with the words and figures that say so."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import msgspec

from pea.agents._crisis_views import Alternative, Assessment, Escalation, Level, Sign, Situation
from pea.agents._word_pattern import word_pattern
from pea.workspace.playbooks import Playbook, Shelf, minutes

CRISIS = 0.7  # the report's thresholds: detected and told to the executive at 0.7, board 0.8, media 0.6
ESCALATION = (("the press office", 0.6), ("the executive", 0.7), ("the board", 0.8))
DECIDE_WITHIN = timedelta(minutes=5)  # nobody has decided by then: the executive decides
GUESSED = "other"
LONE_WORD = -0.1  # a single word may well mean something else

_GRAVER = (
    ("people may be hurt", 0.2, "injur*|hurt|died|dead|death|hospital|danger*|unsafe|burn*|verletz*|tot|gestorben"),
    ("it is going on now", 0.05, "right now|ongoing|still|spreading|just now|at the moment|gerade|noch immer"),
    (
        "everybody is concerned",
        0.1,
        "all customers|all our customers|all users|all systems|everyone|entire|alle",
    ),
    ("it is public", 0.1, "press|journalist*|newspaper*|tv|viral|public|article|presse|zeitung"),
    ("somebody presses for time", 0.1, "deadline|ransom|ultimatum|by tonight|within hours|frist"),
    ("law or contract is in play", 0.05, "regulator|authority|court|lawsuit|contract|police|gdpr|behörde|klage"),
)
_SMALLER = (
    ("it is over", -0.15, "resolved|contained|fixed|restored|false alarm|behoben|fehlalarm"),
    ("it is a test", -0.4, "drill|exercise|rehearsal|test alarm|übung"),
    ("it is not certain", -0.05, "maybe|perhaps|possibly|rumour|rumor|unconfirmed|vielleicht"),
)
_TALE = tuple(
    (name, points, tuple(word_pattern(word) for word in words.split("|"))) for name, points, words in _GRAVER + _SMALLER
)
_NOT = re.compile(r"\b(?:no|not|nobody|none|never|without|nicht|kein\w*|niemand)\b[^.;,!?]{0,20}$")
_MANY = ((1_000_000, 0.15), (10_000, 0.1), (500, 0.05))


def assess(
    what: str,
    shelf: Shelf,
    at: datetime,
    *,
    playbook: str = "",
    severity: float | None = None,
    affected: int | None = None,
    countries: tuple[str, ...] = (),
) -> Assessment:
    """Choose the playbook with the most of its signs in the report, and score it.

    The score begins at the playbook's own severity; each kind of words adds or takes what ``signs`` says, once; the
    number affected adds up to 0.15. A ``severity`` that a person gives is the score. Nothing in the report is followed.
    """
    text = what.casefold()
    ranked = sorted(((_words(text, one), one) for one in shelf.playbooks.values()), key=lambda pair: -len(pair[0]))
    best_words, best = next(((w, p) for w, p in ranked if p.name == playbook), ranked[0]) if ranked else ((), None)
    notes = []
    if best is None or (not best_words and not playbook):
        best_words, best = (
            (),
            shelf.playbooks[GUESSED] if GUESSED in shelf.playbooks else next(iter(shelf.playbooks.values())),
        )
        notes.append("no playbook's signs are in the report: the general one is taken; name one with playbook=")
    signs = [Sign(f"a case of {best.name} begins at", best.severity)]
    if len(best_words) == 1:
        signs.append(Sign("one word only speaks for it", LONE_WORD))
    signs += [Sign(name, points) for name, points, patterns in _TALE if any(_said(one, text) for one in patterns)]
    if affected is not None:
        signs += [Sign(f"{affected:,} are affected", points) for least, points in _MANY if affected >= least][:1]
    score = max(0.0, min(1.0, sum(sign.points for sign in signs)))
    if severity is not None:
        score, signs = severity, [Sign("you have said how grave it is", severity)]
    score = round(score, 3)
    others = [Alternative(one.name, one.title, words) for words, one in ranked if words and one.name != best.name][:3]
    situation = Situation(
        what=what,
        playbook=best.name,
        score=score,
        at=at,
        countries=tuple(dict.fromkeys(one.upper() for one in countries)),
        affected=affected,
    )
    found = Assessment(
        playbook=best.name,
        title=best.title,
        words=best_words,
        alternatives=tuple(others),
        score=score,
        level=_level(score),
        is_crisis=score >= CRISIS,
        signs=tuple(signs),
        escalate=tuple(Escalation(who, line, score >= line) for who, line in ESCALATION),
        decide_by=at + DECIDE_WITHIN,
        contain_by=at + timedelta(minutes=minutes(best.contain_within)),
        situation=situation,
        notes=tuple(notes),
        text="",
    )
    return msgspec.structs.replace(found, text=assessment_text(found))


def assessment_text(found: Assessment) -> str:
    """The assessment for a person."""
    kind = "crisis" if found.is_crisis else "incident"
    lines = [f"{found.title}: {found.level}, {found.score:.2f} of 1 ({kind}; the line is {CRISIS})"]
    lines += [f"  {sign.points:+.2f}  {sign.what}" for sign in found.signs]
    if found.words:
        lines.append(f"  words   {', '.join(found.words)}")
    told = [one.who for one in found.escalate if one.reached]
    lines.append(f"  tell    {', '.join(told) if told else 'nobody beyond those who deal with it'}")
    lines.append(f"  decide  by {found.decide_by:%H:%M}; if nobody has, the executive does")
    lines.append(f"  contain by {found.contain_by:%a %d %b %H:%M}")
    lines += [f"  or      {one.playbook}: {one.title} ({', '.join(one.words)})" for one in found.alternatives]
    return "\n".join([*lines, *found.notes])


def _words(text: str, playbook: Playbook) -> tuple[str, ...]:
    return tuple(match[0] for sign in playbook.signs if (match := word_pattern(sign).search(text)) is not None)


def _said(pattern: re.Pattern[str], text: str) -> bool:
    """Whether a word stands there without a word of denial shortly before it."""
    return any(
        _NOT.search(text[max(0, found.start() - 40) : found.start()]) is None for found in pattern.finditer(text)
    )


def _level(score: float) -> Level:
    if score >= 0.9:
        return "existential"
    if score >= 0.8:
        return "severe"
    return "serious" if score >= CRISIS else "incident"
