"""All alerts of a service: moved on by readings, silenced and inhibited, remembered when they are over."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterable, Mapping

import msgspec

from pea.watch.alert import Alert, State, advance, alert_id, begin, ended, expired
from pea.watch.reading import Reading
from pea.watch.rule import SEVERITIES, Rule, RuleSet

MAX_ALERTS = 5_000
MAX_HISTORY = 1_000
MAX_SILENCES = 1_000
MOST = 0.5  # of the added time, or failures: then the one agent's alert explains the other's
ECHO_S = 300.0  # what an alert explained is still explained by it for so long after its end
SHOWN_AFTER_S = 900.0  # a resolved alert is listed among the present ones for this long


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts of ``rule`` with these labels tell nobody until ``until_s``; an empty rule stands for all."""

    id: str
    rule: str = ""
    labels: Mapping[str, str] = {}
    from_s: float
    until_s: float
    comment: str = ""

    def covers(self, alert: Alert, now_s: float) -> bool:
        """Whether the alert is silenced by this now."""
        return (
            self.from_s <= now_s < self.until_s
            and self.rule in {"", alert.rule}
            and all(alert.labels.get(key) == value for key, value in self.labels.items())
        )


class Change(msgspec.Struct, frozen=True):
    """An alert that went from one state to another."""

    before: State
    alert: Alert


class BookState(msgspec.Struct):
    """What a book remembers over a restart."""

    alerts: list[Alert] = []
    history: list[Alert] = []
    silences: list[Silence] = []


class Book:
    """Alerts by id. ``history`` has those that fired and are over, the newest last."""

    def __init__(self, state: BookState | None = None) -> None:
        state = state or BookState()
        self._alerts = {alert.id: alert for alert in state.alerts[:MAX_ALERTS]}
        self.history: deque[Alert] = deque(state.history, MAX_HISTORY)
        self.silences: dict[str, Silence] = {one.id: one for one in state.silences[-MAX_SILENCES:]}
        self.overflowed = 0

    def state(self) -> BookState:
        """What is to be remembered."""
        return BookState(list(self._alerts.values()), list(self.history), list(self.silences.values()))

    def get(self, key: str) -> Alert | None:
        """The alert of this id; None when all is well with it."""
        return self._alerts.get(key)

    def active(self, rule: str) -> dict[tuple[str, ...], Mapping[str, float]]:
        """Label values of a rule's alerts that are not inactive, with their evidence."""
        return {tuple(alert.labels.values()): alert.evidence for alert in self._alerts.values() if alert.rule == rule}

    def alerts(self, *states: State) -> list[Alert]:
        """Alerts in these states (all of them by default): the gravest first, then the oldest."""
        wanted = [one for one in self._alerts.values() if not states or one.state in states]
        return sorted(wanted, key=lambda one: (-SEVERITIES.index(one.severity), one.since_s, one.id))

    def update(self, rule: Rule, readings: Iterable[Reading], now_s: float) -> list[Change]:
        """Move a rule's alerts on; those whose series is gone keep their state for a day."""
        changes = []
        known = {tuple(one.labels.values()): one for one in self._alerts.values() if one.rule == rule.name}
        for reading in readings:
            before = known.pop(reading.labels, None)
            if before is None:
                if not reading.wrong:
                    continue
                if len(self._alerts) >= MAX_ALERTS:
                    self.overflowed += 1
                    continue
                before = begin(rule, reading)
            changes += self._put(before, advance(before, rule, reading, now_s), now_s)
        for before in known.values():
            changes += self._put(before, expired(before, now_s), now_s)
        return changes

    def replace(self, alert: Alert) -> None:
        """Put in what has been found of an alert since, such as its cause."""
        held = self._alerts.get(alert.id)
        if held is not None and held.occurrence == alert.occurrence:
            told = {"cause": alert.cause, "explanation": alert.explanation, "exemplars": alert.exemplars}
            self._alerts[alert.id] = msgspec.structs.replace(held, **told)

    def keep_only(self, rules: Iterable[Rule], now_s: float) -> list[Change]:
        """End the alerts of rules that are no more, or are grouped otherwise now."""
        labels = {rule.name: rule.by for rule in rules}
        changes = []
        for alert in list(self._alerts.values()):
            if labels.get(alert.rule) != tuple(alert.labels):
                changes += self._put(alert, ended(alert, "its rule has changed", now_s), now_s)
                self._alerts.pop(alert.id, None)
        return changes

    def silence(
        self, *, rule: str, labels: Mapping[str, str], now_s: float, lasts_s: float, comment: str = ""
    ) -> Silence:
        """Let alerts of a rule with these labels tell nobody for ``lasts_s`` seconds."""
        self.silences = {key: one for key, one in self.silences.items() if one.until_s > now_s}
        while len(self.silences) >= MAX_SILENCES:
            self.silences.pop(next(iter(self.silences)))
        made = Silence(
            id=secrets.token_hex(8),
            rule=rule,
            labels=dict(labels),
            from_s=now_s,
            until_s=now_s + lasts_s,
            comment=comment,
        )
        self.silences[made.id] = made
        return made

    def silenced(self, alert: Alert, now_s: float) -> Silence | None:
        """The silence that covers an alert and lasts longest, if there is one."""
        found = [one for one in self.silences.values() if one.covers(alert, now_s)]
        return max(found, key=lambda one: one.until_s, default=None)

    def inhibited(self, alert: Alert, rules: RuleSet, now_s: float) -> Alert | None:
        """The alert because of which this one tells nobody, if there is one: a rule says so, or its own cause does."""
        for inhibit in rules.inhibit:
            if alert.rule in inhibit.mutes:
                for other in self._alerts.values():
                    same = all(other.labels.get(key) == alert.labels.get(key) for key in inhibit.equal)
                    if same and other.rule == inhibit.when and other.state is State.FIRING:
                        return other
        return self._explaining(alert, now_s)

    def _explaining(self, alert: Alert, now_s: float) -> Alert | None:
        """The same rule's alert about the agent that this one blames, when that one blames itself.

        Who asks a slow agent is slow with it: one alert for one fault.
        """
        agent = _blamed(alert)
        if not agent or alert.labels.get("agent") in {None, agent}:
            return None
        other = self._alerts.get(alert_id(alert.rule, {**alert.labels, "agent": agent}))
        if other is None or _blamed(other) != agent:
            return None
        echo = other.state is State.RESOLVED and now_s - (other.resolved_s or 0.0) < ECHO_S
        return other if echo or other.state is State.FIRING else None

    def _put(self, before: Alert, after: Alert, now_s: float) -> list[Change]:
        if after.state is State.INACTIVE or (
            after.state is State.RESOLVED and now_s - (after.resolved_s or 0.0) >= SHOWN_AFTER_S
        ):
            self._alerts.pop(after.id, None)
        else:
            self._alerts[after.id] = after
        if after.state is before.state:
            return []
        if after.state is State.RESOLVED:
            self.history.append(after)
        return [Change(before.state, after)]


def _blamed(alert: Alert) -> str:
    """The agent that an alert's first cause holds responsible for most of it; "" when it names none."""
    first = alert.cause[0] if alert.cause else {}
    place, share = first.get("place"), first.get("share", 0.0)
    return str(place.get("agent", "")) if isinstance(place, Mapping) and share >= MOST else ""
