"""Who is to be told what, now: each occurrence of an alert once, its end once, and again while it lasts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping

import msgspec

from pea.watch.alert import Alert, State
from pea.watch.notify.notice import Notice
from pea.watch.rule import Rule, RuleSet

ALERTMANAGER_RESEND_S = 60.0  # Alertmanager ends what it does not hear of again


class Told(msgspec.Struct):
    """When a receiver was last told of an occurrence."""

    occurrence: str
    at_s: float


class PlannerState(msgspec.Struct):
    """By receiver and alert id, what has been told."""

    told: dict[str, dict[str, Told]] = {}


class Planner:
    """Makes notices out of alerts. What is silenced or inhibited is left out, and told if it still fires afterwards."""

    def __init__(self, state: PlannerState | None = None) -> None:
        self.state = state or PlannerState()

    def plan(
        self, alerts: Iterable[Alert], rules: RuleSet, now_s: float, muted: Callable[[Alert], bool]
    ) -> list[Notice]:
        """The notices that are due. What is returned counts as told: the outbox loses nothing."""
        held = list(alerts)
        known = {rule.name: rule for rule in rules.rules}
        kinds = {receiver.name: receiver.kind for receiver in rules.receivers}
        due: dict[tuple[str, tuple[str, ...]], list[Alert]] = {}
        for alert in held:
            rule = known.get(alert.rule)
            for receiver in _receivers(rule, self.state.told, alert):
                resend_s = _resend_s(rule, kinds.get(receiver, ""))
                if self._due(receiver, alert, now_s, resend_s, muted):
                    group = tuple(_label(alert, label) for label in rules.group_by)
                    due.setdefault((receiver, group), []).append(alert)
        self._forget({alert.id for alert in held})
        return [
            self._notice(receiver, dict(zip(rules.group_by, group, strict=True)), found, now_s)
            for (receiver, group), found in due.items()
        ]

    def _due(self, receiver: str, alert: Alert, now_s: float, resend_s: float, muted: Callable[[Alert], bool]) -> bool:
        told = self.state.told.get(receiver, {}).get(alert.id)
        if alert.state is State.RESOLVED:
            return told is not None and told.occurrence == alert.occurrence
        if alert.state is not State.FIRING or muted(alert):
            return False
        return told is None or told.occurrence != alert.occurrence or now_s - told.at_s >= resend_s

    def _notice(self, receiver: str, group: Mapping[str, str], alerts: list[Alert], now_s: float) -> Notice:
        told = self.state.told.setdefault(receiver, {})
        for alert in alerts:
            if alert.state is State.RESOLVED:
                told.pop(alert.id, None)
            else:
                told[alert.id] = Told(alert.occurrence, now_s)
        text = "\0".join([receiver, f"{now_s:.3f}", *(f"{alert.occurrence}{alert.state}" for alert in alerts)])
        key = hashlib.sha256(text.encode()).hexdigest()[:24]
        return Notice(id=key, receiver=receiver, group=group, alerts=tuple(alerts), at_s=now_s)

    def _forget(self, present: set[str]) -> None:
        for told in self.state.told.values():
            for key in [key for key in told if key not in present]:
                del told[key]


def _receivers(rule: Rule | None, told: Mapping[str, Mapping[str, Told]], alert: Alert) -> list[str]:
    """Those that the rule names; of its end, also those that were told of it when the rule named them."""
    named = list(dict.fromkeys(rule.notify)) if rule is not None else []
    return named + [name for name, alerts in told.items() if alert.id in alerts and name not in named]


def _resend_s(rule: Rule | None, kind: str) -> float:
    resend_s = float(rule.resend) if rule is not None else float("inf")
    return min(resend_s, ALERTMANAGER_RESEND_S) if kind == "alertmanager" else resend_s


def _label(alert: Alert, label: str) -> str:
    if label == "rule":
        return alert.rule
    return alert.severity if label == "severity" else alert.labels.get(label, "")
