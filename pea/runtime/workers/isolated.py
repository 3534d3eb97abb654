"""The mark of a function that runs in a worker process when it is given to `Context.compute`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

import msgspec

from pea.config import Seconds

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__pea_isolated__"


class Isolated(msgspec.Struct, frozen=True):
    """What `isolated` noted; None is the setting ``runtime.workers.timeout``."""

    timeout_s: float | None


@overload
def isolated(function: F, /) -> F: ...


@overload
def isolated(*, timeout: str | float | None = None) -> Callable[[F], F]: ...


def isolated(function: F | None = None, /, *, timeout: str | float | None = None) -> F | Callable[[F], F]:
    """Have `Context.compute` run this function in a worker process rather than in a thread.

    For work that keeps a processor busy: the process can be killed when it hangs, and a crash costs one job only. The
    function must stand at the top of a module that can be imported; it gets copies of its arguments, sees none of this
    process's state, and may be run a second time when its process dies before it has begun. Called directly it is an
    ordinary function. Raises TypeError for what a worker could not find.
    """
    noted = Isolated(None if timeout is None else float(Seconds.parse(timeout)))

    def mark(function: F) -> F:
        name = getattr(function, "__qualname__", "")
        if "." in name or not name.isidentifier():
            raise TypeError(f"{name or function!r} is not at the top of a module: a worker process could not find it")
        setattr(function, _MARK, noted)
        return function

    return mark if function is None else mark(function)


def mark_of(function: Callable[..., Any]) -> Isolated | None:
    """What was noted about a function; None for one that runs in a thread."""
    found = getattr(function, _MARK, None)
    return found if isinstance(found, Isolated) else None
