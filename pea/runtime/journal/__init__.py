"""Nothing is lost: accepted tasks and their steps on disk, and how they go on after a crash."""

from pea.runtime.journal.entries import Accepted, Changed, Noted, Step, StepState
from pea.runtime.journal.journal import Journal, Kept, Remembered
from pea.runtime.journal.steps import SCOPE, Log
from pea.runtime.journal.tables import Tables
from pea.runtime.journal.writer import WriterStatus

__all__ = [
    "SCOPE",
    "Accepted",
    "Changed",
    "Journal",
    "Kept",
    "Log",
    "Noted",
    "Remembered",
    "Step",
    "StepState",
    "Tables",
    "WriterStatus",
]
