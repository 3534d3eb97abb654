"""Where an agent reads, and how long it may: the workspace, the folder of its state, a share of the time left."""

from __future__ import annotations

from pathlib import Path

from pea import Context, InputError, Settings

READING_SHARE = 0.6  # of the time left may be spent on reading what is new before answering
MAX_READING_S = 10.0


def place(settings: Settings) -> tuple[Path, Path | None]:
    """The workspace, and the folder that keeps what was read of it, if there is one. InputError without a workspace."""
    if not settings.workspace:
        raise InputError("no workspace is set", where="workspace", fix="give --workspace, or workspace in pea.yaml")
    return Path(settings.workspace), Path(settings.state) if settings.state else None


def reading_s(ctx: Context, *, share: float = READING_SHARE, most_s: float = MAX_READING_S) -> float:
    """How many seconds reading may take now; what is not read by then is said to be pending."""
    return max(0.0, min(most_s, share * ctx.remaining_s))
