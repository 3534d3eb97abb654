"""``pea doctor``: check what PEA needs, and say in words what is missing and what to do."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import re
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import click

from pea.cli.client import Unreachable, address, request
from pea.cli.connect import examined
from pea.cli.doctor_access import tokens
from pea.cli.doctor_finding import Finding, show
from pea.cli.doctor_memory import memory
from pea.cli.options import as_json, needs_state, settings_options
from pea.config import Settings
from pea.errors import ConfigError, PeaError, nearest
from pea.runtime import AgentState, Runtime
from pea.telemetry import configure_logging


@click.command("doctor")
@click.option("--stack", is_flag=True, help="Check the running stack at URLS instead (none: the usual local ones).")
@click.argument("urls", nargs=-1)
@as_json
@settings_options
def command(settings: Settings, stack: bool, urls: tuple[str, ...], as_json: bool) -> None:
    """Check that everything PEA needs is there. Exits with 1 when something is missing.

    With --stack, what runs around PEA is checked: PEA, Prometheus, Alertmanager, Grafana, Jaeger and the Collector are
    recognised by what they answer, and what does not fit together is said, with what to do.
    """
    configure_logging(settings.telemetry.log)
    if urls and not stack:
        raise click.UsageError("addresses are checked with --stack: pea doctor --stack URL …")
    if stack:
        from pea.cli.doctor_stack import examine

        sys.exit(show(asyncio.run(examine(urls)), as_json=as_json))
    findings = [*_python(), *_extras(), *_workspace(settings), *_state(settings), *_service(settings)]
    findings += [tokens(settings, datetime.now(UTC)), *_export()]
    findings += asyncio.run(_agents(settings))
    findings += asyncio.run(examined(settings))
    sys.exit(show(findings, as_json=as_json))


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", "ok", f"{version} at {sys.executable}")


def _extras() -> Iterator[Finding]:
    """Whether the packages behind each extra are installed, by the project's own metadata."""
    extras: dict[str, list[str]] = {}
    for requirement in importlib.metadata.requires("pea") or ():
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
        package = re.match(r"[\w.-]+", requirement)
        if extra and package and extra[1] != "dev":
            extras.setdefault(extra[1], []).append(package[0])
    for name, packages in sorted(extras.items()):
        absent = [package for package in packages if not _installed(package)]
        if absent:
            verdict = "missing" if name == "assistant" else "note"
            yield Finding(f"pea[{name}]", verdict, f"not installed: {', '.join(absent)}", f"pip install 'pea[{name}]'")
        else:
            yield Finding(f"pea[{name}]", "ok", f"{len(packages)} packages")


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _workspace(settings: Settings) -> Iterator[Finding]:
    if not settings.workspace:
        fix = "give --workspace DIR or set `workspace` in pea.yaml; examples/workspace is one to try"
        yield Finding("workspace", "missing", "none is configured", fix)
        return
    root = Path(settings.workspace)
    if not root.is_dir():
        yield Finding("workspace", "missing", f"{root} is not a folder", "create it, or give another --workspace")
        return
    yield Finding("workspace", "ok", str(root))
    for name in ("calendars", "mail", "documents", "contacts"):
        folder = root / name
        if not folder.is_dir():
            near = nearest(name, (one.name for one in root.iterdir() if one.is_dir()))
            what = f"there is no such folder, only {near!r}" if near else "there is no such folder"
            yield Finding(f"  {name}", "note", what, f"put your {name} into {folder}")
            continue
        count = sum(len(files) for _, _, files in os.walk(folder))
        yield Finding(f"  {name}", "ok" if count else "note", f"{count:,} files")


def _state(settings: Settings) -> Iterator[Finding]:
    try:
        yield Finding("state folder", "ok", str(needs_state(settings)))
    except ConfigError as error:
        yield Finding("state folder", "missing", f"{error.where}: {error.what}", error.fix)
    yield Finding("time zone", "ok", f"{settings.zone}; now it is {settings.now():%Y-%m-%d %H:%M}")
    if not settings.user.emails:
        yield Finding("user.emails", "note", "not set", "set your addresses so that mail to you is told from copies")


def _service(settings: Settings) -> Iterator[Finding]:
    base = address(settings, None)
    try:
        request(base, "GET", "/readyz", timeout_s=3.0)
        yield Finding("service", "ok", f"answers at {base}")
        yield memory(request(base, "GET", "/v1/dashboard", timeout_s=3.0))
    except Unreachable:
        with socket.socket(socket.AF_INET6 if ":" in settings.service.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.service.host, settings.service.port))
            except OSError as error:
                where = f"{settings.service.host}:{settings.service.port}"
                yield Finding("service", "missing", f"{where} is taken: {error.strerror}", "give another --port")
            else:
                yield Finding("service", "note", f"not running; {base} is free", "start it: pea serve")
    except PeaError as error:
        yield Finding("service", "note", f"at {base}: {error}")


def _export() -> Iterator[Finding]:
    endpoint = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if not endpoint:
        yield Finding("OTLP export", "note", "off", "set OTEL_EXPORTER_OTLP_ENDPOINT to send spans to a collector")
        return
    parts = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
    grpc = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc"
    try:
        socket.create_connection((parts.hostname or "localhost", parts.port or (4317 if grpc else 4318)), 2).close()
    except (OSError, ValueError) as error:
        yield Finding("OTLP export", "missing", f"{endpoint} does not answer: {error}", "start the collector there")
    else:
        yield Finding("OTLP export", "ok", endpoint)


async def _agents(settings: Settings) -> list[Finding]:
    async with Runtime(settings) as runtime:
        found = []
        for record in runtime.directory.records:
            health = await runtime.health(record.name)
            if record.state is AgentState.READY and health.problem is None:
                count, took = len(record.capabilities), 1e3 * (record.start_s or 0.0)
                detail = f"{count} {'capability' if count == 1 else 'capabilities'}, started in {took:.1f} ms"
                found.append(Finding(f"agent {record.name}", "ok", detail))
            else:
                found.append(Finding(f"agent {record.name}", "missing", health.problem or record.state.value))
        return found
