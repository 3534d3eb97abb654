"""What one receiver is told at once: a group of alerts as they stood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from pea.watch.alert import Alert, State


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A message to a receiver about the alerts of one group; ``id`` is the same however often it is sent."""

    id: str
    receiver: str
    group: Mapping[str, str]
    alerts: tuple[Alert, ...]
    at_s: float

    @property
    def firing(self) -> list[Alert]:
        """The alerts that fire."""
        return [alert for alert in self.alerts if alert.state is State.FIRING]

    @property
    def title(self) -> str:
        """One line that says what is up."""
        return title(self.alerts)


def title(alerts: Sequence[Alert]) -> str:
    """How many alerts fire or are over, and what the first of them says."""
    firing = [alert for alert in alerts if alert.state is State.FIRING]
    word, first = ("firing", firing[0]) if firing else ("resolved", alerts[0])
    more = f" (+{len(alerts) - 1} more)" if len(alerts) > 1 else ""
    text = f"[{word}] {first.severity}: {first.message}{more}"
    return "".join(letter if letter.isprintable() else " " for letter in text)


def body(notice: Notice, link: str = "") -> str:
    """The notice as text for people."""
    parts = []
    for alert in notice.alerts:
        lines = [f"{alert.state.upper()} {alert.severity}: {alert.message}"]
        lines += [f"  {key}: {value}" for key, value in alert.labels.items()]
        lines.append(
            f"  since {moment(alert.since_s)}"
            + (f", over since {moment(alert.resolved_s)}" if alert.resolved_s else "")
        )
        if alert.explanation:
            lines.append(f"  {alert.explanation}")
        if link:
            lines += [f"  {link}/traces/{trace}" for trace in alert.exemplars]
        if alert.runbook:
            lines.append(f"  {alert.runbook}")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def moment(seconds: float | None) -> str:
    """RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds or 0.0, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
