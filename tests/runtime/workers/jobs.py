"""Functions that worker processes run in the tests."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from opentelemetry import trace

from pea import InputError, isolated


@isolated
def add(*numbers: int) -> int:
    """Add."""
    return sum(numbers)


@isolated
def pid() -> int:
    """Where it runs."""
    return os.getpid()


@isolated
def fail(kind: str) -> None:
    """Raise one of several errors."""
    if kind == "input":
        raise InputError("is not known", where="kind", fix="use another")
    if kind == "odd":
        raise Odd(1, 2)
    if kind == "exit":
        sys.exit(3)
    if kind == "interrupt":
        raise KeyboardInterrupt
    raise ValueError("no such kind")


class Odd(Exception):
    """Pickles, and does not come back."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} is not {two}")


@isolated
def unpicklable() -> Any:
    """Return what cannot cross."""
    return lambda: None


@isolated(timeout="300ms")
def hang(ledger: str) -> None:
    """Say who hangs, then never end; signals find it in C code."""
    Path(ledger).write_text(str(os.getpid()))
    while True:
        time.sleep(60)


@isolated
def die(ledger: str) -> None:
    """Crash the process."""
    with Path(ledger).open("a") as file:
        file.write("x")
    ctypes.string_at(0)


@isolated
def kill(ledger: str) -> int:
    """Be killed the first time, answer the second."""
    path = Path(ledger)
    if not path.exists():
        path.write_text("x")
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


@isolated
def eat(size: int) -> int:
    """Hold so many bytes for a while."""
    held = bytearray(b"x") * size
    time.sleep(5)
    return len(held)


@isolated
def traced(depth: int) -> int:
    """Make spans of its own, one below the other."""
    tracer = trace.get_tracer("jobs", "1.2")
    with tracer.start_as_current_span(f"step {depth}", attributes={"depth": depth}) as span:
        span.add_event("looked", {"at": depth})
        return traced(depth - 1) + 1 if depth else 0
