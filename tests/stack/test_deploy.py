"""What is deployed is checked by what would read it, as far as that is on this machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.ports import free_port
from tests.stack.programs import ROOT, Program
from tests.stack.test_files import tool

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
CONTAINERFILE = (ROOT / "Containerfile").read_text()
PINNED = re.compile(r".+:v?\d+\.\d+\.\d+(-alpine)?$|pea:local$")
VARIABLE = re.compile(r"\$\{(?:env:)?([A-Z_]+)(?::-[^}]*)?\}")


def mounts(service: dict[str, Any]) -> list[tuple[str, str]]:
    found = [re.sub(r"\$\{OFFICE:-(.+?)\}", r"\1", text).split(":") for text in service.get("volumes", ())]
    return [(parts[0], parts[1]) for parts in found]


@pytest.mark.parametrize("name", SERVICES)
def test_service_of_compose(name: str) -> None:
    """Images have versions, ports are published on this machine alone, and what is mounted exists."""
    service = SERVICES[name]
    assert PINNED.match(service["image"]), service["image"]
    for port in service.get("ports", ()):
        assert port.startswith("127.0.0.1:"), port
    for source, _ in mounts(service):
        assert source in COMPOSE["volumes"] or (source.startswith("./") and (ROOT / source).exists()), source
    for other, terms in service.get("depends_on", {}).items():
        assert "healthcheck" in SERVICES[other] or other == "pea" or "completed" in terms["condition"]


@pytest.mark.parametrize("name", ["grafana", "jaeger", "collector"])
def test_variables_of_mounted_files_are_set(name: str) -> None:
    """What a shipped configuration asks its environment for, compose tells it."""
    service = SERVICES[name]
    told = {*service.get("environment", ()), *re.findall(r"([A-Z_]+)=", " ".join(service.get("entrypoint", ())))}
    for source, _ in mounts(service):
        path = ROOT / source
        if source in COMPOSE["volumes"]:
            continue
        for file in [path] if path.is_file() else path.rglob("*.yaml"):
            uncommented = re.sub(r"(^|\s)#.*", "", file.read_text(), flags=re.MULTILINE)
            assert set(VARIABLE.findall(uncommented)) <= told, file


def test_the_stacks_prometheus_differs_from_the_documented_one_in_addresses_alone() -> None:
    """One of the two is not forgotten when the other is changed; promtool finds no fault with it."""
    ours = yaml.safe_load((ROOT / "dashboards/prometheus.yml").read_text())
    theirs = yaml.safe_load((ROOT / "deploy/compose/prometheus.yml").read_text())
    jobs = [[job["job_name"] for job in config["scrape_configs"]] for config in (ours, theirs)]
    assert jobs[0] == jobs[1]
    assert ours["global"] == theirs["global"]
    assert ours["alerting"]["alert_relabel_configs"] == theirs["alerting"]["alert_relabel_configs"]
    assert [Path(path).name for path in ours["rule_files"]] == [Path(path).name for path in theirs["rule_files"]]


def test_promtool_reads_the_stacks_prometheus(tmp_path: Path) -> None:
    """Rules and the token's file are found where compose mounts them."""
    text = (ROOT / "deploy/compose/prometheus.yml").read_text()
    text = text.replace("/etc/prometheus/rules", str(ROOT / "alerts/prometheus")).replace("/keys", str(tmp_path))
    (tmp_path / "read").write_text("pea_token")
    (tmp_path / "prometheus.yml").write_text(text)
    assert "SUCCESS" in tool("promtool", "check", "config", str(tmp_path / "prometheus.yml"))


def test_keys_are_made_once_and_open_what_they_should(tmp_path: Path) -> None:
    """The service starts on all addresses with them; the stack's key reads figures and submits nothing."""
    keys, port = tmp_path / "keys", free_port()
    keys.mkdir()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "PEA_STATE": str(tmp_path / "state")}
    command = ["sh", str(ROOT / "deploy/compose/keys.sh"), str(keys)]
    said = [subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout for _ in range(2)]
    read = (keys / "read").read_text().strip()
    assert said[0] == said[1]
    assert (keys / "admin").read_text().strip() in said[0]
    assert [(keys / name).stat().st_mode & 0o777 for name in ("admin", "read")] == [0o600, 0o644]
    serve = [sys.executable, "-m", "pea", "serve", "--config", str(ROOT / "examples/workspace/pea.yaml")]
    serve += ["--state", str(tmp_path / "state"), "--host", "0.0.0.0", "--port", str(port)]
    service = Program("pea", serve, f"http://127.0.0.1:{port}", "/readyz", tmp_path).start()
    try:
        asked = urllib.request.Request(f"{service.url}/metrics", headers={"Authorization": f"Bearer {read}"})
        with urllib.request.urlopen(asked) as answer:
            assert b"pea_" in answer.read()
        assert [submit(service.url, key) for key in (read, "", (keys / "admin").read_text().strip())] == [403, 401, 202]
    finally:
        service.stop()


def submit(url: str, key: str) -> int:
    """The status that a task gets with a key."""
    body = json.dumps({"capability": "calendar.agenda", "input": {}}).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/v1/tasks", body, headers)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


def test_containerfile_copies_what_the_wheel_is_made_of() -> None:
    """Each source exists, is not ignored, and together they hold what pyproject.toml packs."""
    copied = {
        one for line in re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE, re.MULTILINE) for one in line.split()
    }
    ignored = (ROOT / ".dockerignore").read_text().split()
    for source in copied:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignored, source
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for needed in (*wheel["packages"], *wheel["force-include"]):
        assert any(fnmatch(needed, source) or needed.startswith(f"{source}/") for source in copied), needed
    assert re.search(r"^USER 10001", CONTAINERFILE, re.MULTILINE)


def test_systemd_finds_no_fault_with_the_unit(tmp_path: Path) -> None:
    """systemd-analyze reads every line of it."""
    unit = tmp_path / "pea.service"
    unit.write_text((ROOT / "deploy/pea.service").read_text().replace("/opt/pea/bin/pea", sys.executable))
    tool("systemd-analyze", "verify", "--man=no", str(unit))


@pytest.mark.parametrize("kind", ["PersistentVolumeClaim", "Service", "Deployment"])
def test_kubernetes_knows_every_field(kind: str) -> None:
    """The manifests pass Kubernetes' own schemas, unknown fields refused."""
    (found,) = [one for one in yaml.safe_load_all((ROOT / "deploy/kubernetes.yaml").read_text()) if one["kind"] == kind]
    assert kubernetes_validate.validate(found, "1.34", strict=True)
