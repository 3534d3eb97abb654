"""``pea doctor --stack``: whether what runs around PEA sees it, knows its rules and shows its dashboards."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import yaml

from pea.cli.credentials import credentials
from pea.cli.doctor_finding import Finding
from pea.cli.doctor_places import TIMEOUT_S, USUAL, Answer, Kind, Place, Web, recognise

MOST_SKEW_S = 2.0
PLACEHOLDER = "127.0.0.1:5001"  # where the shipped Alertmanager configuration posts to
GRAFANA_TOKEN = "PEA_GRAFANA_TOKEN"  # noqa: S105  a variable's name


class Stack(msgspec.Struct, frozen=True):
    """What was found, and the way to ask it."""

    web: Web
    places: tuple[Place, ...]

    def of(self, kind: Kind) -> list[Place]:
        """The places of a kind."""
        return [place for place in self.places if place.kind is kind]

    async def get(self, place: Place, path: str, **query: str) -> Answer:
        """What a place answers; an answer of status 0 when it no longer does."""
        asked = f"{place.url}{path}{'?' if query else ''}{urlencode(query)}"
        return await self.web.get(asked) or Answer(0, None)


async def examine(urls: Sequence[str]) -> list[Finding]:
    """Recognise what answers at the addresses (else: at the usual ones of this machine), and check how it fits."""
    import aiohttp

    named = bool(urls)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        open_web = Web(session, {})
        asked = dict.fromkeys(_with_scheme(url) for url in (urls or USUAL.values()))
        places = tuple(await asyncio.gather(*(recognise(open_web, url) for url in asked)))
        token = os.environ.get(GRAFANA_TOKEN, "")
        known = {Kind.GRAFANA: {"Authorization": f"Bearer {token}"} if token else {}, Kind.PEA: credentials().headers}
        stack = Stack(Web(session, {place.netloc: known.get(place.kind, {}) for place in places}), places)
        findings = [_place(place, named=named) for place in places]
        if not stack.of(Kind.PEA):
            findings.append(Finding("PEA", "missing", "answers at none of the addresses", "start it: pea serve"))
        for check in (_pea, _prometheus, _alertmanager, _grafana, _jaeger, _collector):
            findings += [finding async for finding in check(stack)]
    return findings


def _with_scheme(url: str) -> str:
    return (url if "//" in url else f"http://{url}").rstrip("/")


def _place(place: Place, *, named: bool) -> Finding:
    """That something is there, and that its clock agrees with this machine's."""
    if place.kind is Kind.SILENT:
        return Finding(place.url, "missing" if named else "note", "nothing answers", "start it, or give its address")
    if place.kind is Kind.UNKNOWN:
        return Finding(place.url, "missing", f"answers, but is {place.about}", "give the address of its API")
    about = f"{place.kind} {place.about}".strip()
    if place.skew_s is not None and abs(place.skew_s) > MOST_SKEW_S:
        ahead = "ahead of" if place.skew_s > 0 else "behind"
        detail = f"{about}, whose clock is {abs(place.skew_s):.0f} s {ahead} this machine's"
        return Finding(place.url, "missing", detail, "let NTP set both clocks: graphs and traces lie beside each other")
    return Finding(place.url, "ok", about)


async def _pea(stack: Stack) -> AsyncIterator[Finding]:
    for place in stack.of(Kind.PEA):
        ready, rules, shown = await asyncio.gather(
            stack.get(place, "/readyz"), stack.get(place, "/v1/rules"), _open_metrics(stack, place)
        )
        if ready.status == 200:
            out = ready.at("unavailable") or {}
            detail = f"ready with {ready.at('agents')} agents"
            yield Finding(
                "PEA agents",
                "note" if out else "ok",
                detail + (f"; out of service: {', '.join(out)}" if out else ""),
                "see pea agents" if out else None,
            )
        else:
            reason = ready.at("detail") or "it does not answer"
            yield Finding("PEA agents", "missing", f"not ready: {reason}", "wait for the start, or see its log")
        if rules.status in {401, 403}:
            fix = "set PEA_TOKEN to a token with scope read: pea tokens add --name doctor --scope read"
            yield Finding("PEA access", "note", "does not say more without a token that may read", fix)
            continue
        if rules.status == 200:
            yield Finding("PEA detector", "ok", "watches, by its own rules")
        else:
            yield Finding("PEA detector", "note", f"/v1/rules answers {rules.status}", "set `watch.on: true`")
        if "trace_id=" in shown:
            yield Finding("PEA exemplars", "ok", "/metrics names traces")
        else:
            yield Finding(
                "PEA exemplars", "note", "/metrics names no trace yet", "run a task: pea run briefing.morning"
            )


async def _open_metrics(stack: Stack, place: Place) -> str:
    answer = await stack.web.get(f"{place.url}/metrics", Accept="application/openmetrics-text; version=1.0.0")
    return str(answer.data) if answer is not None else ""


async def _prometheus(stack: Stack) -> AsyncIterator[Finding]:
    for place in stack.of(Kind.PROMETHEUS):
        yield await _scrapes(stack, place)
        flags = await stack.get(place, "/api/v1/status/flags")
        if "exemplar-storage" in str(flags.at("data", "enable-feature") or ""):
            yield await _exemplars(stack, place)
        else:
            fix = "start it with --enable-feature=exemplar-storage, or no graph leads to a trace"
            yield Finding("Prometheus exemplars", "missing", "they are not stored", fix)
        yield await _rules(stack, place)
        yield await _sends(stack, place)


async def _scrapes(stack: Stack, place: Place) -> Finding:
    """Whether PEA is among the targets, by address or by what its series are called, and answers."""
    answer = await stack.get(place, "/api/v1/targets", state="active")
    targets = answer.at("data", "activeTargets") or []
    wanted = {one.netloc for one in stack.of(Kind.PEA)}
    ours = [one for one in targets if one["labels"].get("job") == "pea" or _host(one.get("scrapeUrl", "")) in wanted]
    if not ours:
        where = ", ".join(sorted(wanted)) or "PEA's address"
        fix = f"add {where} to scrape_configs (dashboards/prometheus.yml does it)"
        return Finding("Prometheus scrapes PEA", "missing", f"PEA is none of its {len(targets)} targets", fix)
    down = [one for one in ours if one.get("health") == "down"]
    if down:
        detail = f"{down[0].get('scrapeUrl')} is down: {down[0].get('lastError', '')}"
        return Finding("Prometheus scrapes PEA", "missing", detail, "is the address reachable from Prometheus?")
    unseen = wanted - {_host(one.get("scrapeUrl", "")) for one in ours}
    if len(ours) < len(wanted):
        return Finding("Prometheus scrapes PEA", "note", f"not all are targets: {', '.join(sorted(unseen))}")
    return Finding("Prometheus scrapes PEA", "ok", ", ".join(str(one.get("scrapeUrl")) for one in ours))


async def _exemplars(stack: Stack, place: Place) -> Finding:
    now = time.time()
    answer = await stack.get(
        place,
        "/api/v1/query_exemplars",
        query='{__name__=~"pea_.*_bucket"}',
        start=f"{now - 3600:.0f}",
        end=f"{now:.0f}",
    )
    count = sum(len(one.get("exemplars", ())) for one in answer.at("data") or [])
    if count:
        return Finding("Prometheus exemplars", "ok", f"{count:,} of the last hour lead to traces")
    return Finding("Prometheus exemplars", "note", "stored, but there are none of PEA in the last hour", "run a task")


async def _rules(stack: Stack, place: Place) -> Finding:
    answer = await stack.get(place, "/api/v1/rules", type="alert")
    loaded = {rule["name"]: rule for group in answer.at("data", "groups") or [] for rule in group["rules"]}
    wanted = _shipped_rules()
    broken = [name for name in wanted if loaded.get(name, {}).get("health") == "err"]
    absent = [name for name in wanted if name not in loaded]
    if broken:
        detail = f"{broken[0]}: {loaded[broken[0]].get('lastError', '')}"
        return Finding(
            "Prometheus rules", "missing", detail, "pea rules export > pea.yaml; promtool check rules pea.yaml"
        )
    if len(absent) == len(wanted):
        fix = "name alerts/prometheus/pea.yaml in rule_files (or the output of `pea rules export`), and reload"
        return Finding("Prometheus rules", "missing", "none of PEA's alert rules is loaded", fix)
    if absent:
        detail = f"{len(absent)} of {len(wanted)} are not loaded: {', '.join(absent)}"
        return Finding("Prometheus rules", "note", detail, "pea rules export writes them anew; or they are yours")
    return Finding("Prometheus rules", "ok", f"all {len(wanted)} are loaded")


async def _sends(stack: Stack, place: Place) -> Finding:
    answer = await stack.get(place, "/api/v1/alertmanagers")
    active = [_host(one["url"]) for one in answer.at("data", "activeAlertmanagers") or []]
    given = stack.of(Kind.ALERTMANAGER)
    if not active:
        fix = "name Alertmanager under `alerting:` (dashboards/prometheus.yml does it)"
        return Finding("Prometheus alerts", "missing", "it has no Alertmanager: what fires, nobody is told", fix)
    if given and not {one.netloc for one in given} & set(active):
        return Finding("Prometheus alerts", "note", f"go to {', '.join(active)}, which is not an address given here")
    return Finding("Prometheus alerts", "ok", f"go to {', '.join(active)}")


async def _alertmanager(stack: Stack) -> AsyncIterator[Finding]:
    for place in stack.of(Kind.ALERTMANAGER):
        status, alerts = await asyncio.gather(stack.get(place, "/api/v2/status"), stack.get(place, "/api/v2/alerts"))
        config = str(status.at("config", "original") or "")
        if PLACEHOLDER in config:
            detail = f"post to {PLACEHOLDER}, the shipped placeholder"
            yield Finding("Alertmanager receivers", "note", detail, "put your own pager, chat or mail there")
        else:
            yield Finding("Alertmanager receivers", "ok", "are configured")
        if stack.of(Kind.PROMETHEUS) and "inhibit_rules" not in config:
            fix = "take inhibit_rules from alerts/prometheus/alertmanager.yml"
            yield Finding("Alertmanager inhibition", "note", "PEA's and Prometheus' alert of one name tell twice", fix)
        held = alerts.data if isinstance(alerts.data, list) else []
        told = sum(one["labels"].get("source") != "prometheus" and "type" in one["labels"] for one in held)
        yield Finding("Alertmanager alerts", "ok", f"{len(held)} now, {told} of them PEA's own")


async def _grafana(stack: Stack) -> AsyncIterator[Finding]:
    for place in stack.of(Kind.GRAFANA):
        sources, boards = await asyncio.gather(
            stack.get(place, "/api/datasources"), stack.get(place, "/api/search", tag="pea")
        )
        if 401 in (sources.status, boards.status) or 403 in (sources.status, boards.status):
            fix = f"set {GRAFANA_TOKEN} to a service account's token (role Admin sees data sources)"
            yield Finding("Grafana", "note", "does not say what it has without a token", fix)
            continue
        have = (
            {one.get("uid") for one in boards.data if isinstance(one, dict)} if isinstance(boards.data, list) else set()
        )
        absent = [uid for uid in _shipped_boards() if uid not in have]
        if absent:
            fix = "provision them: dashboards/provisioning (docs/dashboards.md)"
            yield Finding("Grafana dashboards", "missing", f"not there: {', '.join(absent)}", fix)
        else:
            yield Finding("Grafana dashboards", "ok", f"all {len(have)} of PEA are there")
        known = [one for one in sources.data if isinstance(one, dict)] if isinstance(sources.data, list) else []
        for kind in ("prometheus", "jaeger"):
            yield await _source(stack, place, kind, [one for one in known if one.get("type") == kind])


async def _source(stack: Stack, place: Place, kind: str, found: list[dict[str, object]]) -> Finding:
    what = f"Grafana data source {kind}"
    if not found:
        return Finding(what, "missing", "there is none", "provision it: dashboards/provisioning/datasources")
    for one in found:
        health = await stack.get(place, f"/api/datasources/uid/{one.get('uid')}/health")
        if health.status != 200 or health.at("status") not in {"OK", None}:
            detail = f"{one.get('name')} at {one.get('url') or 'no address'}: {health.at('message') or health.status}"
            return Finding(what, "missing", detail, "is its address the one that Grafana's machine reaches?")
    options = found[0].get("jsonData")
    if kind == "prometheus" and not (isinstance(options, dict) and options.get("exemplarTraceIdDestinations")):
        fix = "set exemplarTraceIdDestinations, as dashboards/provisioning/datasources does"
        return Finding(what, "note", "answers, but points on a graph lead to no trace", fix)
    return Finding(what, "ok", f"{len(found)} answer")


async def _jaeger(stack: Stack) -> AsyncIterator[Finding]:
    for place in stack.of(Kind.JAEGER):
        services = (await stack.get(place, "/api/v3/services")).at("services") or []
        if "pea" in services:
            yield Finding("Jaeger traces", "ok", f"of {', '.join(map(str, services[:8]))}")
        else:
            fix = "set OTEL_EXPORTER_OTLP_ENDPOINT for `pea serve` to the Collector, or to Jaeger itself"
            yield Finding("Jaeger traces", "missing", "it has none of the service pea", fix)
        about = {"service": "pea", "spanKind": "server", "lookback": "600000", "step": "60000", "ratePer": "600000"}
        calls = await stack.get(place, "/api/metrics/calls", **about)
        if calls.status != 200:
            fix = "configure metric_backends, as otel/jaeger.yaml does"
            yield Finding("Jaeger Monitor", "note", "the tab has no store of metrics", fix)
        elif not calls.at("metrics"):
            fix = "does Prometheus scrape the Collector's span_metrics (job otel-collector)?"
            yield Finding("Jaeger Monitor", "note", "its store has no figures of the service pea", fix)
        else:
            yield Finding("Jaeger Monitor", "ok", "has figures of the service pea")


async def _collector(stack: Stack) -> AsyncIterator[Finding]:
    for place in stack.of(Kind.COLLECTOR):
        health = await stack.get(place, "/status")
        status = str(health.at("status") or "StatusOK")
        if status == "StatusOK":
            yield Finding("Collector", "ok", "its components are well")
        else:
            detail = f"{status}: {health.at('error') or 'see its log'}"
            yield Finding("Collector", "missing", detail, "does the address that it exports to answer?")
        for prometheus in stack.of(Kind.PROMETHEUS):
            answer = await stack.get(prometheus, "/api/v1/query", query='up{job="otel-collector"} == 1')
            if answer.at("data", "result"):
                yield Finding("Prometheus scrapes the Collector", "ok", "job otel-collector is up")
            else:
                fix = "add its port 8889 to scrape_configs as job otel-collector"
                yield Finding("Prometheus scrapes the Collector", "note", "no such target is up", fix)


def _host(url: str) -> str:
    return url.partition("//")[2].partition("/")[0]


def _shipped(folder: str) -> Path:
    """A folder of the wheel's data, or of the checkout."""
    package = Path(str(files("pea")))
    installed = package / "data" / folder
    return installed if installed.exists() else package.parent / folder


def _shipped_rules() -> list[str]:
    groups = yaml.safe_load((_shipped("alerts") / "prometheus" / "pea.yaml").read_text("utf-8"))["groups"]
    return [rule["alert"] for group in groups for rule in group["rules"]]


def _shipped_boards() -> list[str]:
    return sorted(path.stem for path in _shipped("dashboards").glob("*.json"))
