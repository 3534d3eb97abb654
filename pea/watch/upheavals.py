"""What was changed, and when: versions, agents that started, rules read anew. Who looks for a cause asks this first."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec
from opentelemetry.sdk.resources import SERVICE_VERSION

from pea.telemetry import names
from pea.telemetry.record import Origin, SpanRecord
from pea.watch.present import duration

KEPT = 200
MAX_SERVICES = 1_000
NEAR_S = 3_600.0  # what was changed longer ago explains little
AFTER_S = 15.0  # clocks differ, and a fault is dated to ten seconds

_START = names.SPAN_AGENT_START + " "


class Upheaval(msgspec.Struct, frozen=True):
    """One change, in seconds since 1970."""

    at_s: float
    what: str


class Upheavals:
    """A record consumer that notes new versions and agents' starts; others note what they know with `note`."""

    def __init__(self) -> None:
        self.held: deque[Upheaval] = deque(maxlen=KEPT)
        self._origin: Origin | None = None
        self._versions: dict[str, list[str]] = {}

    def note(self, at_s: float, what: str) -> None:
        """Remember that something was changed."""
        self.held.append(Upheaval(at_s, what))

    def take(self, records: Sequence[SpanRecord]) -> None:
        """Look at finished spans: which version of which service they came from, and whether an agent has started."""
        for record in records:
            if record.origin is not self._origin:
                self._look_at(record)
            if record.name.startswith(_START):
                self.note(record.end_ns / 1e9, f"agent {record.name.removeprefix(_START)[:100]} started")

    def nearest(self, at_s: float) -> Upheaval | None:
        """The last change before this moment, if it was not long before."""
        near = [one for one in self.held if at_s - NEAR_S <= one.at_s <= at_s + AFTER_S]
        return max(near, key=lambda one: one.at_s, default=None)

    def told(self, at_s: float) -> str:
        """A sentence on what was changed before this moment; empty when nothing was."""
        found = self.nearest(at_s)
        if found is None:
            return ""
        together = [one.what for one in self.held if abs(one.at_s - found.at_s) <= AFTER_S]
        more = f" and {len(together) - 1} more" if len(together) > 1 else ""
        apart = at_s - found.at_s
        when = f"{duration(apart)} before it began" if apart >= 1 else "As it began"
        return f"{when[0].upper()}{when[1:]}: {found.what}{more}."

    def _look_at(self, record: SpanRecord) -> None:
        self._origin = origin = record.origin
        version = str(origin.resource.get(SERVICE_VERSION, ""))[:100]
        known = self._versions.get(origin.service)
        if known is None:
            if len(self._versions) < MAX_SERVICES:
                self._versions[origin.service] = [version]
        elif version not in known:  # during a roll-out both are seen: it is told once
            self.note(
                record.start_ns / 1e9, f"{origin.service[:100]} went from version {known[-1] or '?'} to {version}"
            )
            self._versions[origin.service] = [*known[-9:], version]
