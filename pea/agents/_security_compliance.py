"""Checklists of two privacy laws, each point with what the files show of it and where.

GDPR is Regulation (EU) 2016/679, CCPA the California Civil Code 1798.100 and following. The files can show that
something is there, or that something needs looking at; they can never show that a law is kept, so no point is ever
called fulfilled.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta

import msgspec

from pea.agents import _security_text as text
from pea.agents._security_files import Placed, SecurityFiles
from pea.agents._security_points import DOCUMENTED
from pea.agents._security_reviews import notes
from pea.agents._security_views import Check, ComplianceReport, State
from pea.workspace.mail import Message

LAWS = ("GDPR", "CCPA")
EVIDENCE = 5
OLD_YEARS = 3
MAX_REQUESTS = 20
ANSWER_DAYS_CCPA = 45
_REQUESTS = re.compile(
    r"\b(?:(?:subject|data) access request|access to (?:all )?(?:of )?my (?:personal )?data|"
    r"(?:copy|all) of (?:the |my )?personal data (?:you|held|that)|auskunft (?:nach|gemäß|gem\.) art(?:\.|ikel)? ?15|"
    r"(?:delete|erase|remove) (?:all )?(?:of )?my (?:personal )?(?:data|information)|right to (?:be forgotten|erasure)|"
    r"löschung meiner (?:personenbezogenen )?daten|do not sell my (?:personal )?information|right to know request)\b",
    re.IGNORECASE,
)
_BREACH = re.compile(
    r"\b(?:(?:personal )?data breach|datenpanne|datenschutzvorfall|security incident (?:report|notice|involving)|"
    r"unauthori[sz]ed access to (?:personal|customer|our) data|violation de données)\b",
    re.IGNORECASE,
)


def compliance(files: SecurityFiles, laws: tuple[str, ...], now: datetime) -> ComplianceReport:
    """The checklists of some laws; what needs attention stands first."""
    checks: list[Check] = []
    documents = list(files.documents())
    findings = list(files.findings())
    for point in DOCUMENTED:
        if point.law in laws:
            where = [path for path, content in documents if point.words.search(content)][:EVIDENCE]
            state: State = "evidence" if where else "missing"
            todo = "check that it is complete and current" if where else point.todo
            checks.append(Check(point.law, point.article, point.question, state, tuple(where), todo))
    if "GDPR" in laws:
        checks += _gdpr(files, findings, now)
    if "CCPA" in laws:
        checks += _ccpa(files, findings, now)
    order = {"attention": 0, "missing": 1, "evidence": 2, "clear": 3, "cannot be told": 4}
    checks.sort(key=lambda check: (order[check.state], check.due or date.max, check.law, check.article))
    said = (*notes(files), "this is an aid to a review of the files here, and not legal advice")
    attention = sum(check.state == "attention" for check in checks)
    result = ComplianceReport(laws, tuple(checks), attention, files.report(), said, "")
    return msgspec.structs.replace(result, text=text.compliance(result))


def _gdpr(files: SecurityFiles, findings: list[Placed], now: datetime) -> Iterator[Check]:
    special = [one for one in findings if one.finding.category == "special"]
    question = "Is there data of special categories (health, …)?"
    yield _found("GDPR", "Art. 9", question, special, "make sure that a ground of Art. 9(2) covers each, or remove it")
    unsafe = [one for one in findings if one.finding.category in ("secret", "financial") and _unsafe(one)]
    question = "Do secrets, cards or account numbers stand in clear?"
    yield _found(
        "GDPR", "Art. 32", question, unsafe, "change the secrets, and keep the numbers where they are protected"
    )
    yield _old(files, now)
    yield from _requests(files, "GDPR", "Art. 12, 15-17", now, _one_month)
    breaches = [m for m in files.messages if _BREACH.search(f"{m.subject} {m.text}")][:MAX_REQUESTS]
    where = tuple(f"{files.place_of(m)}: {m.subject[:60]}" for m in breaches)[:EVIDENCE]
    newest = max((m.date for m in breaches if m.date is not None), default=None)
    due = (newest + timedelta(hours=72)).date() if newest is not None and now - newest < timedelta(days=30) else None
    if where:
        todo = "decide whether the authority must be told within 72 hours of becoming aware"
        yield Check("GDPR", "Art. 33", "Is a data breach spoken of?", "attention", where, todo, due)
    yield Check(
        "GDPR",
        "Art. 6, 7",
        "Has each processing a legal ground?",
        "cannot be told",
        (),
        "ask the owner of each process",
    )


def _ccpa(files: SecurityFiles, findings: list[Placed], now: datetime) -> Iterator[Check]:
    unsafe = [one for one in findings if one.finding.severity == "critical"]
    question = "Does information that § 1798.150 protects stand in clear?"
    yield _found("CCPA", "§ 1798.150", question, unsafe, "encrypt or remove it: a breach of it can be sued for")
    yield from _requests(files, "CCPA", "§ 1798.105, .110, .130", now, _forty_five_days)


def _found(law: str, article: str, question: str, found: list[Placed], todo: str) -> Check:
    where = tuple(dict.fromkeys(f"{one.path}, {one.place}: {one.finding.kind}" for one in found))[:EVIDENCE]
    if not found:
        return Check(law, article, question, "clear", (), "none was found in what was read")
    return Check(law, article, f"{question} {len(found)} found.", "attention", where, todo)


def _unsafe(one: Placed) -> bool:
    return one.finding.category == "secret" or one.finding.severity == "critical"


def _old(files: SecurityFiles, now: datetime) -> Check:
    """Personal data in mails older than three years: a period of this checklist's own, which the law does not name."""
    line = now - timedelta(days=365 * OLD_YEARS)
    old = [
        f"{path}: {mail.facts.subject[:60]} ({mail.facts.date:%Y})"
        for path, mail in files.mails
        if mail.facts.date is not None
        and mail.facts.date < line
        and any(one.category in ("identity", "financial", "special") for one in mail.findings)
    ]
    question = f"Is personal data kept longer than needed (older than {OLD_YEARS} years)?"
    if not old:
        return Check("GDPR", "Art. 5(1)(e)", question, "clear", (), "none was found in what was read")
    todo = "delete what no duty to keep covers"
    return Check("GDPR", "Art. 5(1)(e)", f"{question} {len(old)} mails.", "attention", tuple(old[:EVIDENCE]), todo)


def _requests(
    files: SecurityFiles, law: str, article: str, now: datetime, due_after: Callable[[date], date]
) -> Iterator[Check]:
    """Requests of the persons concerned that nobody has answered, each with the last day to answer."""
    answered = {ref for m in files.messages if _mine(m, files) for ref in m.references}
    found = 0
    for message in files.messages:
        match = _REQUESTS.search(f"{message.subject} {message.text}")
        if match is None or message.date is None or _mine(message, files) or message.bulk:
            continue
        if message.id in answered or now - message.date > timedelta(days=365) or found >= MAX_REQUESTS:
            continue
        found += 1
        due = due_after(message.date.astimezone(now.tzinfo).date())
        late = " It is overdue." if due < now.date() else ""
        who = message.sender.shown if message.sender else "somebody"
        question = f"Was {who}'s request (“{match[0]}”) answered?{late}"
        where = (f"{files.place_of(message)}: {message.subject[:60]}",)
        todo = f"answer it by {due:%d %b %Y}, once you know who is asking"
        yield Check(law, article, question, "attention", where, todo, due)
    if not found:
        question = "Are requests of the persons concerned waiting?"
        yield Check(law, article, question, "clear", (), "none was found in what was read")


def _mine(message: Message, files: SecurityFiles) -> bool:
    return message.sender is not None and message.sender.email in files.mine


def _forty_five_days(day: date) -> date:
    """§ 1798.130(a)(2)."""
    return day + timedelta(days=ANSWER_DAYS_CCPA)


def _one_month(day: date) -> date:
    """One month after receipt (Art. 12(3)), by Regulation 1182/71: the same day of the next month, or its last."""
    year, month = (day.year, day.month + 1) if day.month < 12 else (day.year + 1, 1)
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
