"""The ways to tell somebody: the log, a signed webhook, Alertmanager's API, e-mail, OTLP log events."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import msgspec

from pea.errors import ConfigError, PeaError
from pea.telemetry.logs import get_logger
from pea.watch.alert import Alert, State
from pea.watch.notify.notice import Notice, body, moment
from pea.watch.notify.otlp_event import logs_request
from pea.watch.notify.outbox import Send
from pea.watch.rule import Receiver

ENDS_AFTER_S = 240.0  # four times the pause between sendings, as Prometheus does
_ENCODE = msgspec.json.Encoder().encode

log = get_logger("pea.watch")


class Undelivered(PeaError):
    """A receiver answered, and not that it took the notice."""

    code = "undelivered"
    retryable = True


def sender(
    receiver: Receiver, link: str = "", environ: Mapping[str, str] | None = None, clock: Callable[[], float] = time.time
) -> Send:
    """The function that sends to a receiver; ``link`` is where this service can be reached."""
    secrets = os.environ if environ is None else environ

    async def webhook(notice: Notice) -> None:
        data = webhook_body(notice, receiver.body, link)
        headers = {"Content-Type": "application/json", "X-Pea-Notice": notice.id}
        key = secrets.get(receiver.secret_env, "") if receiver.secret_env else ""
        if receiver.secret_env and not key:
            raise ConfigError(f"{receiver.secret_env} is not set: {receiver.name} cannot be signed for")
        if key:
            at = str(int(clock()))
            headers |= {"X-Pea-Timestamp": at, "X-Pea-Signature": signature(key, at, data)}
        await _post(receiver.url, data, headers)

    async def alertmanager(notice: Notice) -> None:
        alerts = [_for_alertmanager(alert, link, clock()) for alert in notice.alerts]
        url = receiver.url.rstrip("/")
        await _post(f"{url}/api/v2/alerts", _ENCODE(alerts), {"Content-Type": "application/json"})

    async def smtp(notice: Notice) -> None:
        password = secrets.get(receiver.secret_env, "") if receiver.secret_env else ""
        await asyncio.to_thread(_mail, receiver, letter(notice, receiver, link), password)

    async def otlp(notice: Notice) -> None:
        url = receiver.url.rstrip("/").removesuffix("/v1/logs")
        await _post(f"{url}/v1/logs", logs_request(notice, link), {"Content-Type": "application/json"})

    return {"webhook": webhook, "alertmanager": alertmanager, "smtp": smtp, "otlp": otlp}[receiver.kind]


async def to_log(notice: Notice) -> None:
    """One line for each alert of a notice, with its figures as fields."""
    for alert in notice.alerts:
        write = log.warning if alert.state is State.FIRING else log.info
        write(
            f"alert {alert.state}",
            rule=alert.rule,
            severity=alert.severity,
            message=alert.message,
            traces=list(alert.exemplars),
            explanation=alert.explanation,
            **{f"label.{key}": value for key, value in alert.labels.items()},
        )


def webhook_body(notice: Notice, template: str = "", link: str = "") -> bytes:
    """The JSON of a notice, or the receiver's own template with {title}, {text}, {group}, {status} and {link}."""
    firing = bool(notice.firing)
    if template:
        words = {
            "title": notice.title,
            "text": body(notice, link),
            "group": ", ".join(f"{key}={value}" for key, value in notice.group.items()),
            "status": "firing" if firing else "resolved",
            "link": link,
        }
        # Each word is put in as the inside of a JSON string, so that no message can break out of its quotes.
        return template.format_map({key: _ENCODE(value).decode()[1:-1] for key, value in words.items()}).encode()
    return _ENCODE(
        {
            "version": 1,
            "id": notice.id,
            "status": "firing" if firing else "resolved",
            "title": notice.title,
            "group": notice.group,
            "link": link,
            "alerts": notice.alerts,
        }
    )


def signature(key: str, timestamp: str, data: bytes) -> str:
    """HMAC-SHA256 over ``timestamp.body``; a receiver checks it, and that the timestamp is of now."""
    return "sha256=" + hmac.new(key.encode(), timestamp.encode() + b"." + data, hashlib.sha256).hexdigest()


def letter(notice: Notice, receiver: Receiver, link: str = "") -> EmailMessage:
    """The notice as an e-mail; its Message-ID is the same however often it is sent."""
    made = EmailMessage()
    made["Subject"] = notice.title[:200]
    made["From"] = receiver.sender
    made["To"] = ", ".join(receiver.to)
    made["Date"] = format_datetime(datetime.fromtimestamp(notice.at_s, UTC))
    domain = receiver.sender.rpartition("@")[2] or "pea.invalid"
    made["Message-ID"] = f"<{notice.id}@{domain}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note should answer
    made.set_content(body(notice, link))
    return made


def _for_alertmanager(alert: Alert, link: str, now_s: float) -> dict[str, Any]:
    """An alert as Alertmanager's API v2 takes it (openapi.yaml, postableAlert)."""
    over = alert.state is State.RESOLVED
    labels = {"alertname": alert.rule, "severity": alert.severity, "type": alert.type, **alert.labels}
    notes = {"summary": alert.message, "explanation": alert.explanation, "runbook_url": alert.runbook}
    if alert.exemplars:
        notes["traces"] = " ".join(f"{link}/traces/{trace}" for trace in alert.exemplars)
    return {
        "labels": {_label_name(key): value for key, value in labels.items()},
        "annotations": {key: value for key, value in notes.items() if value},
        "startsAt": moment(alert.fired_s),
        "endsAt": moment(alert.resolved_s if over else now_s + ENDS_AFTER_S),
        "generatorURL": f"{link}/v1/alerts" if link else "",
    }


def _label_name(name: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name)


async def _post(url: str, data: bytes, headers: Mapping[str, str]) -> None:
    import aiohttp

    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=data, headers=headers, allow_redirects=False) as response,
    ):
        if response.status >= 300:
            said = (await response.content.read(200)).decode("utf-8", "replace")
            raise Undelivered(f"answered {response.status}: {said}", where=url)


def _mail(receiver: Receiver, message: EmailMessage, password: str) -> None:
    import smtplib
    import ssl

    safe = ssl.create_default_context()
    if receiver.tls == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(receiver.host, receiver.port, timeout=10, context=safe)
    else:
        server = smtplib.SMTP(receiver.host, receiver.port, timeout=10)
    with server:
        if receiver.tls == "starttls":
            server.starttls(context=safe)
        if receiver.user:
            server.login(receiver.user, password)
        server.send_message(message)
