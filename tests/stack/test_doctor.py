"""`pea doctor --stack` on real programs: what fits is said to fit, what is missing is named with what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.stack.programs import ROOT, Program
from tests.stack.running import Stack

pytestmark = pytest.mark.service


def doctor(*words: str) -> tuple[int, dict[str, tuple[str, str]], str]:
    """Exit code, and by subject: verdict and detail; and all that was printed."""
    command = [sys.executable, "-m", "pea", "doctor", "--stack", *words]
    said = subprocess.run([*command, "--json"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    found = {one["what"]: (one["verdict"], one["detail"]) for one in json.loads(said.stdout)["findings"]}
    return said.returncode, found, said.stdout


def test_a_whole_stack_is_found_whole(stack: Stack) -> None:
    """Each program is recognised by what it answers, and nothing is missing; the placeholder is not there any more."""
    urls = (stack.pea.url, stack.prometheus.url, stack.alertmanager.url)
    code, found, said = doctor(*urls)
    assert code == 0, said
    assert [found[url][1].split(" ")[0] for url in urls] == ["PEA", "Prometheus", "Alertmanager"]
    for what in ("PEA exemplars", "Prometheus scrapes PEA", "Prometheus exemplars", "Prometheus alerts"):
        assert found[what][0] == "ok", said
    assert found["Alertmanager receivers"] == ("ok", "are configured")
    # The stack of the tests has rules of its own.
    assert found["Prometheus rules"][0] == "note"


def test_what_a_bare_prometheus_lacks_is_named(stack: Stack, tmp_path: Path) -> None:
    """Not scraped, no exemplars, no rules, nobody told: each in words, with the exit code 1."""
    (tmp_path / "prometheus.yml").write_text("scrape_configs: []\n")
    place = f"127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
    bare = Program("bare", [*command, f"--web.listen-address={place}"], f"http://{place}", "/-/ready", tmp_path).start()
    try:
        code, found, said = doctor(stack.pea.url, bare.url)
    finally:
        bare.stop()
    assert code == 1
    for what in ("scrapes PEA", "exemplars", "rules", "alerts"):
        assert found[f"Prometheus {what}"][0] == "missing", said
    assert "--enable-feature=exemplar-storage" in said
