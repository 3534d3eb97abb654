"""Prometheus, Alertmanager, Redis and `pea serve` as processes on free loopback ports, with the shipped files."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tests.ports import await_port, free_port

ROOT = Path(__file__).parents[2]
ALERTMANAGER = "prometheus-alertmanager"  # Debian's name for it
PATIENCE_S = 60.0


def fetch(url: str, body: Any = None, **headers: str) -> Any:
    """The JSON (or text) that a URL answers; HTTPError for 400 and above."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read().decode()
        return json.loads(text) if "json" in answer.headers.get("Content-Type", "") else text


def until(what: str, true: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """Ask again and again until it is true; AssertionError that says what never was."""
    ends = time.monotonic() + patience_s
    while True:
        try:
            found = true()
        except (OSError, urllib.error.URLError, ConnectionError):
            found = None
        if found:
            return found
        assert time.monotonic() < ends, f"{what}: not within {patience_s:g} s"
        time.sleep(0.1)  # other programs have no other way to tell


class Program:
    """A process whose output is kept; ``url`` answers at ``ready`` once it runs."""

    def __init__(self, name: str, command: list[str], url: str, ready: str, folder: Path, **environ: str) -> None:
        self.name, self.command, self.url, self.ready = name, command, url, ready
        self.log = folder / f"{name}.log"
        self.environ = {**os.environ, **environ}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Program:
        """Run it and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, cwd=ROOT, env=self.environ, stdout=log, stderr=log)
        until(f"{self.name} answers ({self.log})", self._answers)
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} ended: {self.log.read_text()[-2000:]}"
        fetch(self.url + self.ready)
        return True

    def stop(self) -> None:
        """End it, gently at first."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def prometheus(folder: Path, pea_url: str, alertmanager_url: str, rules: Path) -> Program:
    """Prometheus with the shipped configuration, but for ports, a second between scrapes, and the rules."""
    port = free_port()
    config = yaml.safe_load((ROOT / "dashboards/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(rules), str(ROOT / "alerts/prometheus/meta.yaml")]
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [_place(alertmanager_url)]
    places = {"pea": pea_url, "prometheus": f"http://127.0.0.1:{port}", "alertmanager": alertmanager_url}
    config["scrape_configs"] = [one for one in config["scrape_configs"] if one["job_name"] in places]
    for one in config["scrape_configs"]:
        one["static_configs"][0]["targets"] = [_place(places[one["job_name"]])]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    command = ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={folder / 'tsdb'}", "--log.level=warn"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage", "--web.enable-lifecycle"]
    return Program("prometheus", command, f"http://127.0.0.1:{port}", "/-/ready", folder)


def alertmanager(folder: Path, inbox_url: str) -> Program:
    """Alertmanager with the shipped configuration, whose receivers post to ``inbox_url``; groups wait a second."""
    port = free_port()
    text = (ROOT / "alerts/prometheus/alertmanager.yml").read_text().replace("http://127.0.0.1:5001", inbox_url)
    path = folder / "alertmanager.yml"
    path.write_text(text.replace("group_wait: 10s", "group_wait: 1s"))
    command = [ALERTMANAGER, f"--config.file={path}", f"--storage.path={folder / 'am'}", "--cluster.listen-address="]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    return Program("alertmanager", command, f"http://127.0.0.1:{port}", "/-/ready", folder)


def redis(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A Redis that writes nothing to disk."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    await_port(port, process)
    return process, f"redis://127.0.0.1:{port}/0"


def pea(folder: Path, settings: dict[str, Any], **environ: str) -> Program:
    """`pea serve` on the sample workspace, with agents installed by entry point as a user's own would be."""
    about = folder / "site" / "probe-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: probe\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        "[pea.agents]\nprobe = probe_agent:Probe\ndesk = probe_agent:Desk\nledger = probe_agent:Ledger\n"
    )
    (about.parent / "probe_agent.py").write_text((Path(__file__).parent / "probe_agent.py").read_text())
    port = free_port()
    sample = yaml.safe_load((ROOT / "examples/workspace/pea.yaml").read_text())
    config = {**sample, "workspace": str(ROOT / "examples/workspace"), "state": str(folder / "state"), **settings}
    (folder / "pea.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "pea", "serve", "--config", str(folder / "pea.yaml"), "--port", str(port)]
    return Program(
        "pea", command, f"http://127.0.0.1:{port}", "/readyz", folder, PYTHONPATH=str(about.parent), **environ
    )


class Inbox:
    """Where Alertmanager posts to: what came in, by receiver."""

    def __init__(self) -> None:
        self.notices: list[tuple[str, dict[str, Any]]] = []
        inbox = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                inbox.notices.append((self.path.strip("/"), body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def alerts(self) -> list[tuple[str, dict[str, str]]]:
        """Receiver and labels of every alert that was told."""
        return [(to, one["labels"]) for to, notice in list(self.notices) for one in notice["alerts"]]

    def close(self) -> None:
        """Take no more."""
        self._server.shutdown()
        self._server.server_close()


class Pages:
    """A web server with the files of ``folder``, which says when they were changed."""

    def __init__(self, folder: Path) -> None:
        class Handler(http.server.SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # connections stay open

            def log_message(self, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


def _place(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc
