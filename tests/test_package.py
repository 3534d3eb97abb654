"""What is installed: the public API, the data files, the entry points."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pea

ROOT = Path(__file__).parent.parent


def test_public_names_exist() -> None:
    """Everything that `pea` lists can be imported from it, and nothing else is promised."""
    assert sorted([*pea._HOMES, "__version__"]) == sorted(pea.__all__)
    for name in pea.__all__:
        assert getattr(pea, name) is not None


def test_importing_pea_is_cheap() -> None:
    """`import pea` brings in neither aiohttp nor the OpenTelemetry SDK: they come when first used."""
    code = "import sys, pea; print([m for m in ('aiohttp', 'opentelemetry.sdk', 'numpy', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_wheel_carries_data_files(tmp_path: Path) -> None:
    """Registry, rules, dashboards and examples are in the wheel, not only in the repository."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    for wanted in ("pea/data/otel/registry/task.yaml", "pea/data/examples/workspace/pea.yaml", "pea/py.typed"):
        assert wanted in names
    assert not [name for name in names if "/.pea/" in name or "__pycache__" in name]
    for folder in ("pea/data/alerts/", "pea/data/dashboards/"):
        assert any(name.startswith(folder) for name in names), folder


def test_agents_are_entry_points() -> None:
    """The fleet is found as a user's own agents are."""
    found = {entry.name for entry in entry_points(group="pea.agents")}
    assert {"orchestrator", "calendar", "communication", "documents", "travel"} <= found
