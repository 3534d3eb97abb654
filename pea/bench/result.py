"""A run's result as a file: what was measured by suite, on what machine, and with which packages."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import psutil

from pea.bench.figure import Figure
from pea.bench.measure import Absent, Line
from pea.errors import ConfigError
from pea.version import __version__

FORMAT = 1
Entry = Line | Figure | Absent
Key = tuple[str, str]  # what, peer

PACKAGES = ("opentelemetry-sdk", "aiohttp", "msgspec", "numpy", "diskcache", "pebble")


class Environment(msgspec.Struct, frozen=True):
    """Where it was measured. ``load`` is the machine's load average over a minute when the run began."""

    python: str
    machine: str
    system: str
    cpus: int
    memory_mb: int
    load: float
    packages: dict[str, str | None]
    pea: str = __version__

    def words(self) -> str:
        """One line for a person."""
        packages = ", ".join(f"{name} {number or 'missing'}" for name, number in self.packages.items())
        machine = f"{self.system} {self.machine}, {self.cpus} CPUs, {self.memory_mb:,} MB, load {self.load:.1f}"
        return f"PEA {self.pea}, Python {self.python}, {machine}; {packages}"


class Measured(msgspec.Struct, frozen=True):
    """One suite: its entries, or why there are none; seconds and CPU seconds it took, in so many processes."""

    about: str
    entries: tuple[Entry, ...]
    seconds: float
    cpu_s: float
    launches: int = 1
    missing: str = ""


class Result(msgspec.Struct, frozen=True):
    """One run of ``pea bench``."""

    began: datetime
    extent: str
    seconds: float
    environment: Environment
    suites: dict[str, Measured]
    format: int = FORMAT

    @property
    def failed(self) -> list[tuple[str, Line | Figure]]:
        """The entries whose budget is not met, with their suites."""
        return [
            (name, one)
            for name, measured in self.suites.items()
            for one in measured.entries
            if not isinstance(one, Absent) and one.passed is False
        ]

    @property
    def missing(self) -> dict[str, str]:
        """Suites without a result, and why."""
        return {name: measured.missing for name, measured in self.suites.items() if measured.missing}


def environment(packages: Iterable[str] = PACKAGES) -> Environment:
    """This machine and Python."""
    return Environment(
        python=platform.python_version(),
        machine=platform.machine(),
        system=f"{platform.system()} {platform.release()}",
        cpus=os.cpu_count() or 1,
        memory_mb=psutil.virtual_memory().total >> 20,
        load=os.getloadavg()[0],
        packages={package: _version(package) for package in packages},
    )


def result(extent: str, began: datetime, suites: Mapping[str, Measured], measured_on: Environment) -> Result:
    """Put a run together."""
    return Result(began, extent, (datetime.now(UTC) - began).total_seconds(), measured_on, dict(suites))


def read(path: Path) -> Result:
    """A result from a file that ``--json`` has written; ConfigError when it is none."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Result)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        fix = "give a file that `pea bench --json FILE` has written"
        raise ConfigError(f"is no result of this version: {error}", where=str(path), fix=fix) from error
    if found.format != FORMAT:
        raise ConfigError(f"has format {found.format}, not {FORMAT}", where=str(path), fix="measure again")
    return found


def write(path: Path, found: Result) -> None:
    """Write a result; ConfigError when that is not possible."""
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(path)) from error


def merged(launches: Sequence[Sequence[Entry]]) -> tuple[Entry, ...]:
    """The entries of several launches of one suite as one: samples side by side, values in the middle.

    What not every launch has (a peer that failed once) is taken from those that have it.
    """
    by_key: dict[Key, list[Entry]] = {}
    for entries in launches:
        for key, entry in keyed(entries):
            by_key.setdefault(key, []).append(entry)
    return tuple(_merge(entries) for entries in by_key.values())


def keyed(entries: Sequence[Entry]) -> Iterator[tuple[Key, Entry]]:
    """Each entry with what names it within its suite: its words and its peer.

    An indented one belongs to the one above it and has its words before its own; what is still said twice is numbered.
    """
    said: dict[Key, int] = {}
    above = ""
    for entry in entries:
        own = entry.what.strip()
        if entry.what.startswith(" "):
            own = f"{above}: {own}"
        else:
            above = own
        key = own, "" if isinstance(entry, Figure) else entry.peer
        said[key] = said.get(key, 0) + 1
        yield (key if said[key] == 1 else (f"{own} ({said[key]})", key[1])), entry


def _merge(entries: list[Entry]) -> Entry:
    first = entries[0]
    lines = [entry for entry in entries if isinstance(entry, Line)]
    figures = [entry for entry in entries if isinstance(entry, Figure)]
    if isinstance(first, Line) and len(lines) > 1:
        samples = tuple(sample for entry in lines for sample in entry.samples)
        ratios = sorted(ratio for sample in samples for ratio in sample) or [entry.ratio for entry in lines]
        ratio = statistics.median(ratios)
        quarters = statistics.quantiles(ratios, n=4)
        return msgspec.structs.replace(
            first,
            figure_ns=statistics.median(entry.figure_ns for entry in lines),
            peer_ns=statistics.median(entry.peer_ns for entry in lines),
            ratio=ratio,
            spread=(quarters[2] - quarters[0]) / ratio,
            count=sum(entry.count for entry in lines),
            passed=None if first.budget is None else ratio <= first.budget,
            samples=samples,
        )
    if isinstance(first, Figure) and len(figures) > 1:
        return msgspec.structs.replace(
            first,
            value=statistics.median(entry.value for entry in figures),
            count=sum(entry.count for entry in figures),
            samples=tuple(sample for entry in figures for sample in entry.samples),
        )
    return first


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
