"""Clauses held against a checklist: what is unusual where it stands, and what is usual where it does not.

The list is one of attention, not of law: a finding says "read this", with the sentence and its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from pea.workspace.contracts_facts import ClauseFound, ClauseMissing, Risk

QUOTED = 400
MAX_PER_CLAUSE = 5


class Clause(msgspec.Struct, frozen=True):
    """A clause of the checklist: how to know it, what it is risky for, what to do about it."""

    name: str
    risk: Risk
    words: re.Pattern[str]
    why: str


def _clause(name: str, risk: Risk, words: str, why: str) -> Clause:
    return Clause(name, risk, re.compile(words, re.IGNORECASE), why)


UNUSUAL = (
    _clause(
        "still open",
        "high",
        r"\[(?:open|tbd|tbc|to be|insert|•|_|x{2,}|offen)|\b(?:tbd|to be (?:settled|agreed|determined|confirmed) "
        r"before)\b|_{4,}",
        "it is not agreed yet: settle it before signing",
    ),
    _clause(
        "unlimited liability",
        "high",
        r"\b(?:unlimited liability|liab\w+ (?:shall be|is|are) unlimited|without (?:any )?limit(?:ation)? of liability|"
        r"liable without limit\w*|haftet unbeschränkt)\b",
        "one claim could exceed what the contract is worth",
    ),
    _clause(
        "price changes by one side",
        "medium",
        r"\b(?:may|reserves the right to|entitled to|darf)\b[^.;]{0,60}\b(?:review|increase|adjust|change|modify|"
        r"raise|anpassen)\b"
        r"[^.;]{0,60}\b(?:prices?|fees?|charges?|rates?|rent|them|preise?)\b|"
        r"\b(?:prices?|fees?)\b[^.;]{0,60}\bsubject to change\b",
        "check the limit and your way out",
    ),
    _clause(
        "terms changed by one side",
        "high",
        r"\b(?:may|reserves the right to)\b[^.;]{0,60}\b(?:amend|modify|change|update|revise)\b[^.;]{0,40}"
        r"\b(?:this agreement|these terms|the terms)\b",
        "what you sign is not what will hold",
    ),
    _clause(
        "exclusivity",
        "medium",
        r"\b(?:exclusive(?:ly)? (?:supplier|provider|right|purchase|basis|dealing)|on an exclusive basis|"
        r"shall not (?:purchase|obtain|source)[^.;]{0,60}(?:other|third))",
        "it binds you to one side",
    ),
    _clause(
        "minimum purchase",
        "medium",
        r"\b(?:minimum (?:purchase|order|commitment|quantit\w+)|orders? at least|take[- ]or[- ]pay|mindestabnahme)\b",
        "it is owed whether it is needed or not",
    ),
    _clause(
        "no competition",
        "high",
        r"\b(?:non-?compet\w+|not to compete|shall not[^.;]{0,60}compet\w+|wettbewerbsverbot)\b",
        "check duration, area and whether it can be enforced",
    ),
    _clause(
        "penalty or lump-sum damages",
        "medium",
        r"\b(?:liquidated damages|penalt(?:y|ies)|contractual penalty|vertragsstrafe|deduct [\w ]{1,20}(?:per "
        r"?cent|%))",
        "check the cap and whether further damages stay possible",
    ),
    _clause(
        "indemnity",
        "medium",
        r"\b(?:indemnif(?:y|ies|ication)|hold(?:s)? harmless|freistell\w+)\b",
        "check that it is mutual and capped",
    ),
    _clause(
        "assignment without consent",
        "medium",
        r"\b(?:assign|transfer)\w*\b[^.;]{0,80}\bwithout (?:the )?(?:prior )?(?:written )?consent\b(?<!not )",
        "the other side may become somebody else",
    ),
    _clause(
        "for ever",
        "medium",
        r"\b(?:perpetual(?:ly)?|irrevocabl[ey]|in perpetuity|survives? indefinitely|unbefristet und unwiderruflich)\b",
        "it does not end with the contract",
    ),
    _clause(
        "most favoured customer",
        "medium",
        r"\b(?:most[- ]favou?red|best price guarantee|no less favou?rable than)\b",
        "it ties prices to those of others",
    ),
    _clause(
        "waiver of rights",
        "medium",
        r"\b(?:waives? (?:any|all|its|the|their) (?:right|claim)|jury trial|class action waiver|verzichtet auf)",
        "check what is given up",
    ),
    _clause(
        "personal guarantee",
        "high",
        r"\b(?:personal(?:ly)? guarant\w+|jointly and severally liable|selbstschuldnerische bürgschaft)\b",
        "somebody is liable with what they own",
    ),
    _clause(
        "source code in escrow",
        "low",
        r"\b(?:escrow)\b",
        "check who pays and when it is released",
    ),
    _clause(
        "audit by the other side",
        "low",
        r"\b(?:right to (?:audit|inspect)|may (?:audit|inspect)|audit rights?)\b",
        "check notice and frequency",
    ),
)
USUAL = (
    _clause(
        "termination",
        "high",
        r"\b(?:terminat\w+|end this agreement|kündig\w+|cancel\w*)\b",
        "how it can be "
        r"ended",
    ),
    _clause(
        "limit of liability",
        "high",
        r"\b(?:liability[^.;]{0,120}(?:limit|cap|not exceed|exclud)|limitation of liability|"
        r"haftung\w*[^.;]{0,80}(?:begrenzt|beschränkt))",
        "what can be claimed at most",
    ),
    _clause(
        "law and courts",
        "medium",
        r"\b(?:governing law|governed by|law applies|jurisdiction|arbitration|gerichtsstand|anwendbares recht)\b",
        "which law holds and who decides",
    ),
    _clause(
        "confidentiality",
        "medium",
        r"\b(?:confidential\w*|secret|geheimhaltung|vertraulich\w*)\b",
        "what "
        r"stays secret",
    ),
    _clause(
        "payment",
        "medium",
        r"\b(?:payable|payments?|invoices?|rechnung\w*|zahlung\w*)\b",
        "what is due when",
    ),
    _clause(
        "data protection",
        "medium",
        r"\b(?:data protection|personal data|gdpr|ccpa|datenschutz|dsgvo)\b",
        "who may do what with personal data",
    ),
    _clause(
        "force majeure",
        "low",
        r"\b(?:force majeure|höhere gewalt|beyond (?:its|their|the) (?:reasonable )?control|act of god)\b",
        "what holds when nobody is at fault",
    ),
    _clause(
        "intellectual property",
        "low",
        r"\b(?:intellectual property|copyright|patents?|licen[cs]e|work product|urheberrecht|nutzungsrecht\w*)\b",
        "who owns what is made",
    ),
    _clause(
        "changes in writing",
        "low",
        r"\b(?:amend\w*|modif\w+|änderung\w*)\b[^.;]{0,80}\b(?:writing|written|schriftform|schriftlich)|"
        r"\b(?:written|schriftform)\b[^.;]{0,60}\b(?:amendment|modification|änderung)",
        "how it can be changed",
    ),
)


def hold_against(sentences: Iterable[tuple[str, str]]) -> tuple[list[ClauseFound], list[ClauseMissing]]:
    """Unusual clauses that stand in ``(sentence, place)`` pairs, and usual ones that do not; the gravest first."""
    pairs = list(sentences)
    found: list[ClauseFound] = []
    for clause in UNUSUAL:
        held = [(text, place) for text, place in pairs if clause.words.search(text)]
        found += [
            ClauseFound(clause.name, clause.risk, clause.why, text[:QUOTED], place)
            for text, place in held[:MAX_PER_CLAUSE]
        ]
    missing = [
        ClauseMissing(clause.name, clause.risk, clause.why)
        for clause in USUAL
        if not any(clause.words.search(text) for text, _ in pairs)
    ]
    order = ("high", "medium", "low")
    found.sort(key=lambda one: order.index(one.risk))
    missing.sort(key=lambda one: order.index(one.risk))
    return found, missing
