"""The security agent's answers for a person: what, where, why, and never the thing itself."""

from __future__ import annotations

from collections.abc import Sequence

from pea.agents._security_views import (
    AccessReport,
    ComplianceReport,
    PhishingReport,
    Scan,
    SensitiveReport,
    Threats,
)
from pea.workspace.files import SourceReport

SHOWN = 20


def sensitive(answer: SensitiveReport) -> str:
    """A line per finding, worst first."""
    if not answer.found:
        head = "No secrets and no personal data were found."
    else:
        kinds = ", ".join(f"{count} × {kind}" for kind, count in answer.by_kind.items())  # noqa: RUF001 - a times sign
        head = f"{answer.found:,} found in {answer.files:,} files: {kinds}"
    lines = [head]
    for one in answer.items[:SHOWN]:
        lines.append(f"  {one.severity:8} {one.kind} {one.masked} · {one.path}, {one.place}")
        lines.append(f"           {one.why}")
    if answer.found > min(SHOWN, len(answer.items)):
        lines.append(f"  … and {answer.found - min(SHOWN, len(answer.items)):,} more")
    return _closed(lines, answer.notes, answer.sources)


def phishing(answer: PhishingReport) -> str:
    """A mail, then its reasons."""
    lines = [f"{answer.found} of {answer.looked_at:,} mails are suspicious" + (":" if answer.found else ".")]
    for one in answer.suspicious[:SHOWN]:
        when = f"{one.date:%d %b %Y}" if one.date is not None else "no date"
        lines.append(f"  {one.verdict:8} {one.subject[:70] or '(no subject)'} · from {one.sender or '?'} · {when}")
        lines += [f"           {reason}" for reason in one.reasons]
    return _closed(lines, answer.notes, answer.sources)


def access(answer: AccessReport) -> str:
    """An outsider, then what reaches them."""
    yours = ", ".join(answer.inside) or "not known"
    lines = [f"{answer.found} people outside your organisation ({yours}) have been given access:"]
    for one in answer.outsiders[:SHOWN]:
        counts = {
            "confidential": one.confidential,
            "shared links": one.shared_links,
            "attachments": one.attachments,
            "meetings": one.meetings,
        }
        told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        lines.append(f"  {one.who}: {told}")
        lines += [f"      {place}" for place in one.evidence[:2]]
    if answer.found > min(SHOWN, len(answer.outsiders)):
        lines.append(f"  … and {answer.found - min(SHOWN, len(answer.outsiders)):,} more")
    return _closed(lines, answer.notes, answer.sources)


def compliance(answer: ComplianceReport) -> str:
    """A point, where it stands, what to do."""
    lines = [f"{' and '.join(answer.laws)}: {answer.attention} points need attention."]
    for one in answer.checks:
        due = f" (by {one.due:%d %b %Y})" if one.due is not None else ""
        lines.append(f"  {one.state:14} {one.law} {one.article}: {one.question}")
        lines += [f"{'':17}{place}" for place in one.evidence[:3]]
        if one.state not in ("evidence", "clear"):
            lines.append(f"{'':17}→ {one.todo}{due}")
    return _closed(lines, answer.notes, answer.sources)


def threats(answer: Threats) -> str:
    """A line per threat."""
    lines = [f"Threats written down: {len(answer.threats)}"]
    lines += [
        f"  {one.at:%d %b %Y %H:%M}  {one.severity:8} {one.kind}: {one.what} · {one.path}" for one in answer.threats
    ]
    return "\n".join(lines)


def scan(answer: Scan) -> str:
    """All scans one below the other."""
    head = [f"Security: {answer.level}. New threats: {answer.new_threats}."]
    parts = (answer.phishing, answer.sensitive, answer.access, answer.compliance)
    head += [f"Missing: {name} ({why})." for name, why in answer.missing.items()]
    return "\n\n".join(["\n".join(head), *(part.text for part in parts if part is not None)])


def _closed(lines: Sequence[str], notes: Sequence[str], sources: SourceReport) -> str:
    return "\n".join((*lines, *(f"Note: {note}." for note in notes), sources.text()))
