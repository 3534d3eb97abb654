"""What is to be done at given hours of the user's day: kept on disk, fired once, whatever the clock and process do."""

from pea.runtime.schedule.entries import Entry, Firing, Outcome, made
from pea.runtime.schedule.firing import Clockwork
from pea.runtime.schedule.hours import Cron, parse
from pea.runtime.schedule.shelf import Shelf

__all__ = ["Clockwork", "Cron", "Entry", "Firing", "Outcome", "Shelf", "made", "parse"]
