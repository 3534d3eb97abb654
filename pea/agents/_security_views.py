"""What the security agent answers: places, kinds and reasons; a secret or a number itself is never in it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

import msgspec

from pea.workspace.files_report import SourceReport

Severity = Literal["critical", "high", "medium", "low"]
State = Literal["attention", "missing", "evidence", "clear", "cannot be told"]


class SensitiveItem(msgspec.Struct, frozen=True):
    """One piece of sensitive data: in which file, where in it, how it is shown masked, what proved it."""

    kind: str
    category: str
    severity: Severity
    masked: str
    path: str
    place: str
    why: str


class SensitiveReport(msgspec.Struct, frozen=True):
    """What was found, worst first; ``found`` counts all of it, ``files`` the files that hold any."""

    items: tuple[SensitiveItem, ...]
    found: int
    by_kind: dict[str, int]
    files: int
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class Suspicion(msgspec.Struct, frozen=True):
    """A mail with signs of phishing: ``verdict`` is likely from 6 points, possible from 3."""

    message_id: str
    subject: str
    sender: str
    date: datetime | None
    verdict: Literal["likely", "possible"]
    points: int
    reasons: tuple[str, ...]
    path: str


class PhishingReport(msgspec.Struct, frozen=True):
    """Suspicious mails, worst first, of ``looked_at`` mails."""

    suspicious: tuple[Suspicion, ...]
    found: int
    looked_at: int
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class Outsider(msgspec.Struct, frozen=True):
    """Somebody (or a whole organisation's address) outside and what reaches them, with evidence by place."""

    who: str
    organisation: str
    meetings: int
    attachments: int
    shared_links: int
    confidential: int
    evidence: tuple[str, ...]


class AccessReport(msgspec.Struct, frozen=True):
    """Who outside the user's organisations has been given access to what, the most exposed first."""

    inside: tuple[str, ...]
    outsiders: tuple[Outsider, ...]
    found: int
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class Check(msgspec.Struct, frozen=True):
    """One point of a law: what the files show of it, where, what to do; ``due`` is a legal deadline, if one runs."""

    law: str
    article: str
    question: str
    state: State
    evidence: tuple[str, ...]
    todo: str
    due: date | None = None


class ComplianceReport(msgspec.Struct, frozen=True):
    """A checklist with evidence from the files: an aid to a review, and not legal advice."""

    laws: tuple[str, ...]
    checks: tuple[Check, ...]
    attention: int
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class Threat(msgspec.Struct, frozen=True):
    """A finding as it was written down when it was first seen."""

    at: datetime
    kind: str
    severity: str
    what: str
    path: str


class Threats(msgspec.Struct, frozen=True):
    """The newest threats written down, newest first."""

    threats: tuple[Threat, ...]
    text: str


class Scan(msgspec.Struct, frozen=True):
    """All scans together; ``missing`` names a scan that did not come and why."""

    level: Literal["critical", "high", "medium", "low", "clear", "unknown"]
    sensitive: SensitiveReport | None
    phishing: PhishingReport | None
    access: AccessReport | None
    compliance: ComplianceReport | None
    missing: dict[str, str]
    new_threats: int
    text: str
