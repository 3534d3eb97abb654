"""How a command ends that ran agents: at once, also when one of them computes what nobody waits for any more.

A function given to ``ctx.compute`` cannot be interrupted, and Python waits for its thread at the end of the process.
By then the result is printed and telemetry is flushed, so there is nothing left to wait for.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NoReturn

from pea.runtime.dispatch import still_computing

LAST_MOMENT_S = 0.1  # idle threads have been told to end, and need a moment for it


def leave(code: int) -> NoReturn:
    """End the process with ``code``; to be called when everything is closed."""
    if not still_computing(LAST_MOMENT_S):
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # who reads may be gone, the stream may be closed
            stream.flush()
    os._exit(code)
