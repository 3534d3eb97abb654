"""``pea top``: the dashboard in the terminal, as it changes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import click
import msgspec
from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pea.cli.client import address, request
from pea.cli.credentials import credentials
from pea.cli.options import as_json, settings_options
from pea.cli.present import console, show_json
from pea.cli.waterfall import duration
from pea.config import Settings

AGAIN_S = 1.5
SILENT_S = 45.0  # three heartbeats
TASKS = 8
_BLOCKS = "▁▂▃▄▅▆▇█"
_STATES = {"ready": "green", "failed": "red", "succeeded": "green", "timed_out": "red", "running": "cyan"}
_WORSE = {"degrading", "worsening"}

Parts = dict[str, Any]


@click.command("top")
@click.option("--once", is_flag=True, help="Show it once and end.")
@click.option("--url", envvar="PEA_URL", help="The service's address (default: the configured one).")
@as_json
@settings_options
def command(settings: Settings, once: bool, url: str | None, as_json: bool) -> None:
    """Watch a running service: health, requests, agents, tasks, recommendations. Ctrl-C ends it."""
    base = address(settings, url)
    to = console()
    if as_json or once or not to.is_terminal:
        dashboard = request(base, "GET", "/v1/dashboard")
        if as_json:
            show_json(dashboard)
        else:
            to.print(screen(parts_of(dashboard), base, to.width))
        return
    request(base, "GET", "/v1/dashboard")  # says at once, and in words, that nothing answers
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_watch(base))


def parts_of(dashboard: Mapping[str, Any]) -> Parts:
    """A dashboard cut into the parts in which the stream brings it."""
    agents = {f"agent/{row['name']}": row for row in dashboard["agents"]}
    return {**{key: value for key, value in dashboard.items() if key != "agents"}, **agents}


def merged(parts: Parts, event: str, changed: Mapping[str, Any]) -> Parts:
    """The parts after an event: a snapshot replaces them all, null takes one away."""
    whole = {**({} if event == "snapshot" else parts), **changed}
    return {name: value for name, value in whole.items() if not (value is None and name.startswith("agent/"))}


async def _watch(base: str) -> None:
    parts: Parts = {}
    to = console()
    with Live(console=to, screen=True, auto_refresh=False) as live:
        while True:
            with contextlib.suppress(OSError, TimeoutError, ValueError):
                async for event, changed in _events(base):
                    parts = merged(parts, event, changed)
                    live.update(screen(parts, base, to.width), refresh=True)
            gone = Text("the service does not answer; trying again …", style="red")
            live.update(Group(gone, screen(parts, base, to.width)) if parts else gone, refresh=True)
            await asyncio.sleep(AGAIN_S)


async def _events(base: str) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
    """The stream's events; raises OSError when the connection breaks."""
    import aiohttp

    shown = credentials()
    limit = aiohttp.ClientTimeout(total=None, sock_read=SILENT_S, sock_connect=5.0)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit, read_bufsize=1 << 24) as session,
            session.get(f"{base}/v1/stream", headers=shown.headers, ssl=shown.verify) as response,
        ):
            response.raise_for_status()
            event = ""
            async for line in response.content:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "event":
                    event = value
                elif name == "data":
                    yield event, msgspec.json.decode(value)
    except aiohttp.ClientError as error:
        raise OSError(str(error)) from error


def screen(parts: Parts, base: str, width: int) -> RenderableType:
    """Everything on one screen of ``width`` columns."""
    overview = parts["overview"]
    agents = [row for name, row in parts.items() if name.startswith("agent/")]
    rows = [_head(overview, base), _agents(agents)]
    if tasks := parts.get("tasks"):
        rows += [Text("\ntasks", style="bold"), _tasks(tasks[:TASKS])]
    advice = [*_advice(parts.get("alerts") or (), parts.get("recommendations") or ())]
    if advice:
        rows.append(Panel(Group(*advice), title="alerts and recommendations", border_style="yellow", width=width))
    return Group(*rows)


def _head(overview: Mapping[str, Any], base: str) -> RenderableType:
    health = overview["health"]
    score = health["score"]
    mood = "green" if score >= 90 else "yellow" if score >= 60 else "red"
    failing = overview["error_rate"]
    figures = (
        f"[bold]health[/] [{mood} bold]{score}[/]  [bold]requests[/] {overview['requests']:,}"
        f" ({overview['requests_per_s']:.3g}/s)  [bold]average[/] {_ms(overview['average_ms'])}"
        f"  [bold]p95[/] {_ms(overview['p95_ms'])}  [bold]errors[/] {_share(failing)}"
        f"  [bold]agents[/] {overview['agents_active']}/{overview['agents']}"
        f"  [bold]running[/] {overview['running']} [dim]+{overview['queued']}[/]"
    )
    lines = [Text.from_markup(figures, overflow="fold")]
    lines += [Text(f"  −{one['points']} {one['reason']}", style="dim") for one in health["lowered_by"]]
    return Group(*lines, Text(base, style="dim"), Text())


def _agents(agents: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("agent", "state", "rate", "errors", "p50", "p95", "max", "15 min", ""):
        right = title in {"rate", "errors", "p50", "p95", "max"}
        table.add_column(title, justify="right" if right else "left", no_wrap=bool(title))
    for row in agents:
        metrics = row["metrics"]
        times, state = metrics["response"], row["state"] or "seen"
        failing = metrics["reliability"]["error_rate"]
        table.add_row(
            f"[bold]{escape(row['name'])}[/]",
            f"[{_STATES.get(state, 'dim')}]{state}[/]",
            f"{metrics['throughput']['requests_per_s']:.3g}/s" if row["window_calls"] else "–",
            f"[red]{_share(failing)}[/]" if failing else _share(failing),
            *(_ms(times[name]) for name in ("p50_ms", "p95_ms", "max_ms")),
            spark(row["spark"]),
            " ".join(_trends(metrics["trends"])) or escape(row["problem"] or ""),
        )
    return table


def _trends(trends: Mapping[str, str | None]) -> Iterator[str]:
    for name, word in trends.items():
        if word and word != "stable":
            yield f"[{'red' if word in _WORSE else 'dim'}]{name.replace('_', ' ')} {word}[/]"


def _tasks(tasks: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for task in tasks:
        status = task["status"]
        created = datetime.fromisoformat(task["created"]).astimezone()
        table.add_row(
            f"[{_STATES.get(status, 'red' if status == 'failed' else 'dim')}]{status.replace('_', ' ')}[/]",
            escape(task["capability"]),
            _ms(task["duration_ms"]),
            f"[dim]{created:%H:%M:%S}[/]",
            f"[dim]{task['trace_id'] or ''}[/]",
        )
    return table


def _advice(alerts: Sequence[Mapping[str, Any]], advice: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    for one in alerts:
        yield Text(f"{one.get('severity', 'alert')}: {one.get('message') or one.get('name', '')}", style="red")
    for one in advice:
        text = Text.assemble((f"{one['priority']} ", "yellow"), (one["what"], "bold"))
        yield text.append(f"\n  {one['evidence']}; expected: {one['effect']}", "dim")


def spark(values: Sequence[float | None]) -> str:
    """A line of blocks as high as the values; a space where there is none."""
    top = max((value for value in values if value), default=0.0)
    return "".join(
        " " if value is None else _BLOCKS[min(int(8 * value / top), 7) if top else 0] for value in values[-20:]
    )


def _ms(value: float | None) -> str:
    return "–" if value is None else duration(round(1e6 * value))


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}" if value else "0 %"
