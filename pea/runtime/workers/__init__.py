"""Worker processes: CPU-heavy functions off the event loop, killed when they hang, in the same trace."""

from pea.runtime.workers.isolated import Isolated, isolated
from pea.runtime.workers.pool import Workers

__all__ = ["Isolated", "Workers", "isolated"]
