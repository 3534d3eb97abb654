"""``python -m pea.bench.one SUITE ASK OUT``: one launch of one suite, its entries written to a file as JSON.

A process for each launch: what one suite leaves behind in memory, in the garbage collector's thresholds or in threads
is not another's, and one that hangs can be stopped.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import msgspec

from pea.bench.result import Entry
from pea.bench.suites import SUITES, Ask
from pea.config import LogSettings
from pea.errors import ConfigError, PeaError
from pea.telemetry import configure_logging


class Launched(msgspec.Struct, frozen=True):
    """What one launch found, or why it found nothing; CPU seconds of it and of the processes it started."""

    entries: tuple[Entry, ...] = ()
    missing: str = ""
    cpu_s: float = 0.0


def launch(name: str, ask: Ask) -> Launched:
    """Run a suite here and now."""
    try:
        if ask.profile is None:
            entries = tuple(SUITES[name].run(ask))
        else:
            from pea.bench.flame import profiled

            entries = tuple(profiled(lambda: SUITES[name].run(ask), ask.profile, f"pea bench {name}"))
    except ImportError as error:
        return Launched(missing=f"a peer is not installed: {error.name} (pip install 'pea[bench]')")
    except (ConfigError, PeaError) as error:
        return Launched(missing=str(error))
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return Launched(entries, cpu_s=sum(one.ru_utime + one.ru_stime for one in used))


def main(name: str, ask: str, out: str) -> None:
    """The module's command line."""
    configure_logging(LogSettings(level="error"))
    found = launch(name, msgspec.json.decode(ask, type=Ask, dec_hook=_path))
    Path(out).write_bytes(msgspec.json.encode(found))


def encode(ask: Ask) -> str:
    """The second argument."""
    return msgspec.json.encode(ask, enc_hook=str).decode()


def _path(kind: type, value: object) -> Path:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"{kind.__name__} is not expected")


if __name__ == "__main__":
    main(*sys.argv[1:])
