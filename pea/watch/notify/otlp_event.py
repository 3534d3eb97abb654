"""Alerts as OpenTelemetry log events: OTLP's JSON, for any collector's ``/v1/logs``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pea.telemetry import names
from pea.watch.alert import Alert, State
from pea.watch.notify.notice import Notice

EVENT = "pea.alert"
# OpenTelemetry's Logs Data Model, SeverityNumber; an alert that is over is INFO.
NUMBERS: Mapping[str, int] = {"info": 9, "low": 10, "medium": 13, "high": 17, "critical": 21}
_RESOLVED = 9


def logs_request(notice: Notice, link: str = "", service: str = "pea") -> bytes:
    """An ExportLogsServiceRequest in JSON (OTLP 1.5), one record for each alert of the notice."""
    records = [_record(alert, notice.at_s, link) for alert in notice.alerts]
    resource = {"attributes": _attributes({"service.name": service})}
    scoped = {"scope": {"name": "pea.watch"}, "logRecords": records}
    return msgspec.json.encode({"resourceLogs": [{"resource": resource, "scopeLogs": [scoped]}]})


def _record(alert: Alert, at_s: float, link: str) -> dict[str, Any]:
    over = alert.state is State.RESOLVED
    began_s = (alert.resolved_s if over else alert.fired_s) or at_s
    about = {
        names.PEA_ALERT_RULE: alert.rule,
        names.PEA_ALERT_SEVERITY: alert.severity,
        "pea.alert.id": alert.id,
        "pea.alert.state": alert.state.value,
        "pea.alert.explanation": alert.explanation,
        "pea.alert.traces": " ".join(f"{link}/traces/{trace}" if link else trace for trace in alert.exemplars),
        **{f"pea.alert.label.{key}": value for key, value in alert.labels.items()},
    }
    made: dict[str, Any] = {
        "timeUnixNano": str(int(began_s * 1e9)),
        "observedTimeUnixNano": str(int(at_s * 1e9)),
        "severityNumber": _RESOLVED if over else NUMBERS[alert.severity],
        "severityText": "resolved" if over else alert.severity,
        "eventName": EVENT,
        "body": {"stringValue": alert.message},
        "attributes": _attributes({key: value for key, value in about.items() if value}),
    }
    if alert.exemplars:  # the first trace that shows it: a log store links the two
        made["traceId"] = alert.exemplars[0]
    return made


def _attributes(values: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]
