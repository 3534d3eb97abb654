"""The points of two privacy laws that a document would show: the words to look for, and what to do without it."""

from __future__ import annotations

import re

import msgspec


class Point(msgspec.Struct, frozen=True):
    """A point of a law: its question, the words that a document about it holds, what to do when none does."""

    law: str
    article: str
    question: str
    words: re.Pattern[str]
    todo: str


def _point(law: str, article: str, question: str, words: str, todo: str) -> Point:
    return Point(law, article, question, re.compile(words, re.IGNORECASE), todo)


DOCUMENTED = (
    _point(
        "GDPR",
        "Art. 13, 14",
        "Are people told what is done with their data?",
        r"\b(?:privacy (?:notice|policy|statement)|datenschutz(?:erklärung|hinweise?))\b",
        "write a privacy notice, or keep it among the documents",
    ),
    _point(
        "GDPR",
        "Art. 28",
        "Are there contracts with those who process data for you?",
        r"\b(?:data processing (?:agreement|addendum)|auftragsverarbeitung\w*|"
        r"processor agreement)\b",
        "list the processors and file their agreements",
    ),
    _point(
        "GDPR",
        "Art. 30",
        "Is there a record of processing activities?",
        r"\b(?:records? of processing|verzeichnis von verarbeitungst\w+|"
        r"verarbeitungsverzeichnis)\b",
        "keep a record of processing activities",
    ),
    _point(
        "GDPR",
        "Art. 32",
        "Are the security measures written down?",
        r"\b(?:technical and organi[sz]ational measures|"
        r"technische[nr]? und organisatorische[nr]? maßnahmen|information security policy)\b",
        "describe the technical and organisational measures",
    ),
    _point(
        "GDPR",
        "Art. 35",
        "Was the impact of risky processing assessed?",
        r"\b(?:data protection impact assessment|dpia|datenschutz-?folgenabschätzung)\b",
        "decide whether an impact assessment is needed",
    ),
    _point(
        "GDPR",
        "Art. 37",
        "Is a data protection officer named?",
        r"\b(?:data protection officer|datenschutzbeauftragte\w*)\b",
        "decide whether one is required, and name them",
    ),
    _point(
        "GDPR",
        "Art. 44-49",
        "Are transfers to third countries covered?",
        r"\b(?:standard contractual clauses|standardvertragsklauseln|adequacy decision|"
        r"binding corporate rules)\b",
        "list transfers outside the EEA and what covers them",
    ),
    _point(
        "CCPA",
        "§ 1798.100, .130",
        "Are consumers told at collection what is collected?",
        r"\b(?:notice at collection|privacy (?:notice|policy)|"
        r"categories of personal information)\b",
        "publish a notice at collection",
    ),
    _point(
        "CCPA",
        "§ 1798.120, .135",
        "Can consumers opt out of sale and sharing?",
        r"\b(?:do not sell|opt[- ]out of (?:the )?sale|your privacy choices)\b",
        "offer the opt-out, or write down that nothing is sold or shared",
    ),
    _point(
        "CCPA",
        "§ 1798.100(d), .140(ag)",
        "Are there contracts with service providers?",
        r"\b(?:service provider (?:agreement|addendum)|data processing (?:agreement|"
        r"addendum))\b",
        "file the service providers' contracts",
    ),
)
