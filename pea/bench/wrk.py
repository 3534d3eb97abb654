"""wrk as the asking side, where it is installed: its load costs the least, and nobody can say it is ours."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

from pea.bench.load import Round
from pea.errors import PeaError

_QUANTILE = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)\s*$", re.MULTILINE)
_DONE = re.compile(r"(\d+) requests in ([\d.]+)(us|ms|s|m)")
_WRONG = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_ERRORS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


def program() -> str | None:
    """Where wrk is."""
    return shutil.which("wrk")


async def ask(url: str, seconds: int, connections: int, script: Path | None = None) -> tuple[Round, int]:
    """Keep so many connections busy for whole seconds; what was seen, and how many answers were none or not 2xx.

    Raises PeaError when wrk is missing or fails.
    """
    found = program()
    if found is None:
        raise PeaError("wrk is not installed", where="pea bench http", fix="apt install wrk")
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *(["-s", str(script)] if script else []), url]
    process = await asyncio.create_subprocess_exec(
        found, *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said = (await process.communicate())[0].decode(errors="replace")
    return parse(said)


def parse(said: str) -> tuple[Round, int]:
    """What wrk printed as a round; PeaError when it printed something else."""
    done = _DONE.search(said)
    at = {quantile: float(value) * _MS[unit] for quantile, value, unit in _QUANTILE.findall(said)}
    if done is None or at.keys() != {"50", "99"}:
        raise PeaError(f"wrk said something else: {said.strip()[-300:]}", where="pea bench http")
    wrong, errors = _WRONG.search(said), _ERRORS.search(said)
    bad = (int(wrong[1]) if wrong else 0) + sum(map(int, errors.groups() if errors else ()))
    seconds = float(done[2]) * _MS[done[3]] / 1e3
    return Round(int(done[1]), seconds, at["50"], at["99"]), bad
