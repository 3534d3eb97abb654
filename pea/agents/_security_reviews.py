"""What the scans make of what was read: sensitive data ranked, mails judged, outsiders and what reaches them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Literal

import msgspec

from pea.agents import _security_text as text
from pea.agents._security_files import Placed, SecurityFiles
from pea.agents._security_views import (
    AccessReport,
    Outsider,
    PhishingReport,
    SensitiveItem,
    SensitiveReport,
    Suspicion,
)
from pea.workspace.phishing import host_of, judge
from pea.workspace.phishing_domains import domain_of, organisation

LIKELY, POSSIBLE = 6, 3
EVIDENCE = 5
ACCESS_DAYS = 180
RANK = {"critical": 0, "high": 1, "medium": 2, "low": 3}
_OLDEST = datetime.min.replace(tzinfo=UTC)
_CONFIDENTIAL = re.compile(
    r"\b(?:confidential|strictly private|internal only|not for distribution|vertraulich|streng geheim|nur intern|"
    r"confidentiel|confidencial)\b",
    re.IGNORECASE,
)
_URL = re.compile(r"https?://[^\s<>\"')\]]{4,500}", re.IGNORECASE)
_SHARING = frozenset(
    (
        "drive.google.com", "docs.google.com", "dropbox.com", "www.dropbox.com", "1drv.ms", "onedrive.live.com",
        "wetransfer.com", "we.tl", "box.com", "app.box.com", "icloud.com", "www.icloud.com", "notion.so", "figma.com",
        "www.figma.com", "airtable.com", "miro.com", "transfer.sh", "mega.nz",
    )
)  # fmt: skip


def sensitive(files: SecurityFiles, kinds: frozenset[str], limit: int) -> SensitiveReport:
    """Sensitive data in mails and documents, the worst first."""
    found = [one for one in files.findings() if not kinds or {one.finding.kind, one.finding.category} & kinds]
    found.sort(key=lambda one: (RANK[one.finding.severity], one.finding.kind, one.path, one.place))
    by_kind = Counter(one.finding.kind for one in found)
    report = files.report()
    result = SensitiveReport(
        tuple(_item(one) for one in found[:limit]),
        len(found),
        dict(by_kind.most_common()),
        len({one.path for one in found}),
        report,
        notes(files),
        "",
    )
    return msgspec.structs.replace(result, text=text.sensitive(result))


def phishing(files: SecurityFiles, since: date | None, limit: int) -> PhishingReport:
    """Mails with signs of phishing."""
    known = files.known()
    found: list[Suspicion] = []
    looked = 0
    for path, mail in files.mails:
        facts = mail.facts
        if since is not None and (facts.date is None or facts.date.date() < since):
            continue
        looked += 1
        signs = judge(facts, known)
        points = sum(sign.points for sign in signs)
        if points >= POSSIBLE:
            verdict: Literal["likely", "possible"] = "likely" if points >= LIKELY else "possible"
            reasons = tuple(sign.why for sign in signs)
            found.append(Suspicion(facts.id, facts.subject, facts.sender, facts.date, verdict, points, reasons, path))
    found.sort(key=lambda one: (one.points, one.date or _OLDEST), reverse=True)
    result = PhishingReport(tuple(found[:limit]), len(found), looked, files.mail_report(), notes(files), "")
    return msgspec.structs.replace(result, text=text.phishing(result))


def access(files: SecurityFiles, now: datetime, limit: int) -> AccessReport:
    """Who outside is invited, was sent attachments, or was given links to shared files."""
    inside, mine = files.inside, files.mine
    told: dict[str, dict[str, list[str]]] = {}
    for email, what, where in (*_invited(files, now), *_sent(files)):
        if "@" in email and email not in mine and organisation(domain_of(email)) not in inside:
            told.setdefault(email, {}).setdefault(what, []).append(where)
    outsiders = [_outsider(email, what) for email, what in told.items()]
    outsiders.sort(key=lambda one: (-one.confidential, -one.shared_links, -one.attachments, -one.meetings, one.who))
    said = list(notes(files))
    if not inside:
        said.append("which organisation is yours is not known: set user.emails")
    said.append("what was shared inside other services (who may open a link) cannot be seen from here")
    report = files.report()
    result = AccessReport(tuple(sorted(inside)), tuple(outsiders[:limit]), len(outsiders), report, tuple(said), "")
    return msgspec.structs.replace(result, text=text.access(result))


def _invited(files: SecurityFiles, now: datetime) -> Iterator[tuple[str, str, str]]:
    """Each person invited to an entry, with the entry."""
    for event in files.events(now, ACCESS_DAYS):
        where = f"{event.path}: {event.title} on {event.start:%d %b %Y}"
        for attendee in event.attendees if event.status != "cancelled" else ():
            if not attendee.room:
                yield attendee.email, "meetings", where


def _sent(files: SecurityFiles) -> Iterator[tuple[str, str, str]]:
    """Each person to whom the user sent an attachment or a link to a shared file, and what of it says confidential."""
    for message in files.messages:
        if message.sender is None or message.sender.email not in files.mine:
            continue
        links = [url for url in _URL.findall(message.text) if _shares(url)]
        if not links and not message.attachments:
            continue
        where = f"{files.place_of(message)}: {message.subject[:60]}"
        names = [attachment.name or attachment.type for attachment in message.attachments]
        secret = _CONFIDENTIAL.search(" ".join((message.subject, message.text, *names)))
        for address in (*message.to, *message.cc):
            for name in names:
                yield address.email, "attachments", f"{where} ({name})"
            for url in links:
                yield address.email, "links", f"{where} ({host_of(url)})"
            if secret:
                yield address.email, "confidential", f"{where} (“{secret[0]}”)"


def notes(files: SecurityFiles) -> tuple[str, ...]:
    """What every report has to say about how much of the files it saw."""
    pending = files.report().pending
    return (f"{pending} files are not scanned yet; ask again for a fuller answer",) if pending else ()


def _item(one: Placed) -> SensitiveItem:
    found = one.finding
    return SensitiveItem(found.kind, found.category, found.severity, found.masked, one.path, one.place, found.why)


def _shares(url: str) -> bool:
    host = host_of(url)
    return host in _SHARING or host.endswith(".sharepoint.com")


def _outsider(email: str, what: dict[str, list[str]]) -> Outsider:
    order = ("confidential", "links", "attachments", "meetings")
    evidence = tuple(place for kind in order for place in what.get(kind, ()))
    meetings, attachments, links, confidential = (len(what.get(kind, ())) for kind in order[::-1])
    places = tuple(dict.fromkeys(evidence))[:EVIDENCE]
    return Outsider(email, organisation(domain_of(email)), meetings, attachments, links, confidential, places)
