"""What the documentation shows is true: each block is run, or read by what reads it in the product."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, ROOT, Block, accept, blocks, lines, reader_of
from tests.stack.programs import fetch, until

# Asked of one service, which has run a task.
SERVED = ("pea tasks", "pea export", "pea cache", "pea top", "pea alerts", "pea sla", "pea traces", "pea schedule")
# Only their words are read, by the command's own parser.
ACCEPTED = {
    "pea serve": "the service of this module is one",
    "pea bench": "takes minutes: tests/bench",
    "pea doctor --stack": "needs all programs of the stack: tests/stack/test_doctor.py",
    "pea approve": "needs a server to write to: tests/connect",
    "pea tasks submit calendar.move": "needs a calendar server: tests/connect",
    "pea connect add": "asks for a password, and the server: tests/connect/test_accounts.py",
    "pea tokens": "changes tokens of a folder of yours: tests/cli/test_access.py",
    "pea audit": "needs a service with tokens: tests/cli/test_access.py",
    "pea export --backup s3:": "needs a bucket: tests/cli/test_backup.py has one",
    "pea export --restore s3:": "needs a bucket: tests/cli/test_backup.py has one",
}
PLACEHOLDERS = ("…", " ID")
# No `pea` command: what looks at it instead, and why.
NEAREST = {
    "make ": "its target exists: running it would build an environment, or run this test",
    "git clone … pea && cd pea": "the address is the reader's",
    "docker ": "no engine here: tests/stack/test_deploy.py reads compose.yaml and the Containerfile",
    "OFFICE=~/office docker compose up": "no engine here: tests/stack/test_deploy.py reads compose.yaml",
    "prometheus --config.file=": "promtool checks the file; tests/stack runs the program",
    "prometheus-alertmanager --config.file=": "amtool checks the file; tests/stack runs the program",
    "otelcol-contrib --config": "the file is there; tests/stack/test_collector.py reads it",
    "jaeger --config": "the file is there; tests/stack/test_files.py reads it",
    "grafana server": "no package here: tests/stack/test_files.py reads what it is provisioned with",
    "export ": "a shell's own; bash reads it",
    "OTEL_EXPORTER_OTLP_ENDPOINT=": "a program of the reader's; bash reads it",
}
# Not taken from one command: a drawing, a formula, what a fault of minutes leads to.
DRAWN = {
    "docs/durability.md": "a drawing",
    "docs/performance.md": "a formula",
    "docs/alerts.md": "what ten minutes with a fault led to; tests/integration/test_chaos.py",
}

PYTHON = {block.place: block.text for block in blocks("python")}
SHELL = {f"{block.place} {line}": line for block in blocks("sh", "console") for line in lines(block)}
PEA = {place: line for place, line in SHELL.items() if line.startswith("pea ")}
NOT_RUN = {
    place: line
    for place, line in PEA.items()
    if line.startswith(tuple(ACCEPTED)) or any(mark in line for mark in PLACEHOLDERS)
}
ASKED = {place: line for place, line in PEA.items() if place not in NOT_RUN and line.startswith(SERVED)}
ALONE = {place: line for place, line in PEA.items() if place not in NOT_RUN and place not in ASKED}
OTHERS = {place: line for place, line in SHELL.items() if place not in PEA}
YAML = {block.place: block for block in blocks("yaml")}
OUTPUT = {block.place: block for block in blocks("", "text") if block.page not in DRAWN}


def run(command: str, *, cwd: Path = ROOT, **environ: str) -> subprocess.CompletedProcess[str]:
    """A `pea` command as the reader types it."""
    typed = command.replace("pea ", f"{shlex.quote(sys.executable)} -m pea ", 1)
    path = os.environ.get("PYTHONPATH", "")
    full = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{path}", "COLUMNS": "160", **environ}
    return subprocess.run(["bash", "-c", typed], cwd=cwd, capture_output=True, text=True, env=full, check=False)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A service on the sample workspace that has run a task: the environment in which its commands find it."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "examples" / "workspace", folder / "workspace", ignore=shutil.ignore_patterns(".pea"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environ = {
        "PEA_CONFIG": str(folder / "workspace" / "pea.yaml"),
        "PEA_STATE": str(folder / "state"),
        "PEA_SERVICE__PORT": str(port),
        "PEA_URL": url,
        "HOME": str(folder),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "pea", "serve"],
        cwd=ROOT,
        env={**os.environ, **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until("the service is ready", lambda: fetch(f"{url}/readyz"))
        done = run("pea tasks submit calendar.conflicts --wait 20", cwd=folder, **environ)
        assert done.returncode == 0, done.stdout + done.stderr
        yield {**environ, "cwd": str(folder)}
    finally:
        process.terminate()
        process.wait(30)


def test_every_block_has_a_reader() -> None:
    """A block in a language that nothing here runs or reads is a fault of the page, or of this test."""
    known = {"python", "sh", "console", "yaml", "toml", "", "text"}
    assert {block.place: block.language for block in blocks() if block.language not in known} == {}


def test_reasons_name_what_exists() -> None:
    """Where a reason names the test that does it instead, that test is there."""
    named = re.findall(r"tests/[\w/.]+", " ".join((*ACCEPTED.values(), *NEAREST.values(), *DRAWN.values())))
    assert [name for name in named if not (ROOT / name.rstrip(".,:")).exists()] == []


@pytest.mark.parametrize("place", PYTHON)
def test_python_block_runs(place: str, tmp_path: Path) -> None:
    """A reader who copies it gets what the page says."""
    done = subprocess.run(
        [sys.executable, "-c", PYTHON[place]], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("place", ALONE)
def test_command_runs(place: str, tmp_path: Path) -> None:
    """A command that is shown exits with 0 on the sample workspace."""
    done = run(ALONE[place], PEA_CONFIG="examples/workspace/pea.yaml", PEA_STATE=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("place", ASKED)
def test_command_of_a_service_runs(place: str, service: dict[str, str]) -> None:
    """So does one that asks a service, or reads what one has written."""
    environ = {name: value for name, value in service.items() if name != "cwd"}
    done = run(ASKED[place], cwd=Path(service["cwd"]), **environ)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("place", NOT_RUN)
def test_command_is_understood(place: str) -> None:
    """What cannot be run here has the words that its command takes."""
    accept(NOT_RUN[place])


@pytest.mark.parametrize("place", OTHERS)
def test_other_command_names_what_is_there(place: str) -> None:
    """A command of another program is a shell's, is listed with the reason, and the files it names are right."""
    line = OTHERS[place]
    assert line.startswith(tuple(NEAREST)), f"no reason is given for {line!r}"
    if "…" not in line:
        assert subprocess.run(["bash", "-nc", line], check=False).returncode == 0
    if line.startswith("make "):
        assert f"\n{line.split()[1]}: " in (ROOT / "Makefile").read_text("utf-8")
    named = [ROOT / found for found in re.findall(r"(?:config(?:\.file)?[= ]|-f )([\w./-]+)", line)]
    assert all(path.is_file() for path in named), named
    checkers = {"prometheus ": ("promtool", "check", "config"), "prometheus-alertmanager ": ("amtool", "check-config")}
    for program, checker in checkers.items():
        if line.startswith(program):
            if shutil.which(checker[0]) is None:
                pytest.skip(f"{checker[0]} is not installed")
            done = subprocess.run([*checker, str(named[0])], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("place", YAML)
def test_yaml_is_read_by_its_reader(place: str, tmp_path: Path) -> None:
    """Settings, rules, playbooks, customs, goals and papers are what the product takes."""
    reader_of(YAML[place])(YAML[place].text, tmp_path)


def test_toml_names_the_entry_point() -> None:
    """An agent that is registered as the page says is found where the shipped ones are."""
    found = [tomllib.loads(block.text) for block in blocks("toml")]
    assert found
    shipped = {entry.group for entry in distribution("pea").entry_points}
    assert all(set(table["project"]["entry-points"]) <= shipped for table in found)


@pytest.mark.parametrize("place", OUTPUT)
def test_output_is_what_the_commands_say(place: str, tmp_path: Path) -> None:
    """What stands below a block of commands is said by one of them; “…” leaves out, and a time taken may differ."""
    block = OUTPUT[place]
    wanted = _pieces(block)
    said = ""
    before = Block(block.page, block.line, "sh", block.before, "")
    for line in lines(before):
        done = run(line, PEA_CONFIG="examples/workspace/pea.yaml", PEA_STATE=str(tmp_path))
        said += " ".join(done.stdout.split()) + "\n"
        if all(piece.search(said) for piece in wanted):
            return
    assert [piece.pattern for piece in wanted if not piece.search(said)] == [], said


def _pieces(block: Block) -> list[re.Pattern[str]]:
    pieces = [" ".join(piece.split()) for line in block.text.splitlines() for piece in line.split("…")]
    return [re.compile(re.sub(r"\d+\\\.\d+\\ s\b", r"[\\d.]+ m?s", re.escape(piece))) for piece in pieces if piece]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    """A relative link names a file that exists."""
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
