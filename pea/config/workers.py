"""Settings of the worker processes that CPU-heavy functions run in."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pea.config.units import Bytes, Seconds


class WorkerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The pool; its processes start when the first job comes."""

    processes: Annotated[int, msgspec.Meta(ge=1, le=256)] = 4
    timeout: Seconds = Seconds(30.0)  # of a job that says nothing else; its process is killed then
    memory: Bytes = Bytes(1 << 30)  # resident, of one process; 0: no limit
    queue: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 100  # jobs waiting for a process; more are refused
    jobs: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] = 1_000  # a process is renewed after so many; 0: never
    quarantine: Seconds = Seconds(3_600.0)  # how long a job that crashed two processes is refused
