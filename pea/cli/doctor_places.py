"""The programs of a stack, each recognised by what its API answers."""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    import aiohttp

TIMEOUT_S = 5.0
MAX_ANSWER = 32 << 20


class Kind(enum.StrEnum):
    """What answers at an address."""

    PEA = "PEA"
    PROMETHEUS = "Prometheus"
    ALERTMANAGER = "Alertmanager"
    GRAFANA = "Grafana"
    JAEGER = "Jaeger"
    COLLECTOR = "Collector"
    UNKNOWN = "unknown"
    SILENT = "silent"


USUAL = {
    Kind.PEA: "http://127.0.0.1:8080",
    Kind.PROMETHEUS: "http://127.0.0.1:9090",
    Kind.ALERTMANAGER: "http://127.0.0.1:9093",
    Kind.GRAFANA: "http://127.0.0.1:3000",
    Kind.JAEGER: "http://127.0.0.1:16686",
    Kind.COLLECTOR: "http://127.0.0.1:13133",
}
NOT_READY = {"/problems/not_ready", "/problems/shutting_down"}


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer; ``data`` is its JSON, or its text; ``skew_s`` how far its clock is ahead of this machine's."""

    status: int
    data: Any
    skew_s: float | None = None

    def at(self, *path: str | int) -> Any:
        """What is at this path of keys and places; None where there is nothing."""
        found = self.data
        for step in path:
            try:
                found = found[step]
            except (KeyError, IndexError, TypeError):
                return None
        return found


class Place(msgspec.Struct, frozen=True):
    """An address and what was found to answer there; ``about`` is its version or what was wrong."""

    url: str
    kind: Kind
    about: str = ""
    skew_s: float | None = None

    @property
    def netloc(self) -> str:
        """Host and port."""
        return urlsplit(self.url).netloc


class Web:
    """Asks; an answer of whatever status is an answer, silence is None. ``shown`` are headers by host and port."""

    def __init__(self, session: aiohttp.ClientSession, shown: Mapping[str, Mapping[str, str]]) -> None:
        self._session = session
        self._shown = shown

    async def get(self, url: str, **headers: str) -> Answer | None:
        """One GET."""
        import aiohttp

        headers |= self._shown.get(urlsplit(url).netloc, {})
        sent = time.time()
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False) as response:
                body = await response.content.read(MAX_ANSWER)
                while not response.content.at_eof() and len(body) < MAX_ANSWER:
                    body += await response.content.read(MAX_ANSWER - len(body))
                skew_s = _skew(response.headers.get("Date"), sent, time.time())
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
            return None
        try:
            return Answer(response.status, msgspec.json.decode(body), skew_s)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Answer(response.status, body.decode("utf-8", "replace"), skew_s)


async def recognise(web: Web, url: str) -> Place:
    """What answers at an address. Asked side by side; what is most particular about a program decides."""
    base = url.rstrip("/")
    paths = ("/readyz", "/api/v1/status/buildinfo", "/api/v2/status", "/api/health", "/api/v3/services", "/status", "/")
    ready, prometheus, alertmanager, grafana, jaeger, health, root = await asyncio.gather(
        *(web.get(base + path) for path in paths)
    )
    answers = [one for one in (ready, prometheus, alertmanager, grafana, jaeger, health, root) if one is not None]
    if not answers:
        return Place(base, Kind.SILENT, "nothing answers")
    skew_s = next((one.skew_s for one in answers if one.skew_s is not None), None)

    def found(kind: Kind, about: object = "") -> Place:
        return Place(base, kind, str(about or ""), skew_s)

    if ready is not None and (ready.at("started_ms") is not None or ready.at("type") in NOT_READY):
        return found(Kind.PEA, "")
    if prometheus is not None and prometheus.at("data", "version"):
        return found(Kind.PROMETHEUS, prometheus.at("data", "version"))
    if alertmanager is not None and alertmanager.at("versionInfo"):
        return found(Kind.ALERTMANAGER, alertmanager.at("versionInfo", "version"))
    if grafana is not None and grafana.at("database"):
        return found(Kind.GRAFANA, grafana.at("version"))
    if jaeger is not None and isinstance(jaeger.at("services"), list):
        return found(Kind.JAEGER)
    if _is_collector(health, root):
        return found(Kind.COLLECTOR)
    return found(Kind.UNKNOWN, "none of PEA, Prometheus, Alertmanager, Grafana, Jaeger, Collector")


def _is_collector(health: Answer | None, root: Answer | None) -> bool:
    """Its health check's extension, of the second version or the first, answers; nothing else of it speaks HTTP."""
    new = health is not None and str(health.at("status") or "").startswith("Status")
    return new or (root is not None and root.at("status") in {"Server available", "Server not available"})


def _skew(date: str | None, sent: float, received: float) -> float | None:
    """Seconds by which the server's clock is ahead; 0 where it may be right, for a date has whole seconds."""
    if not date:
        return None
    try:
        there = parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
    if there > received:
        return there - received
    return min(there + 1 - sent, 0.0)
