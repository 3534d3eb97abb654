"""When to try again, and how long to wait: exponential backoff with full jitter."""

from __future__ import annotations

from random import random


def backoff_s(attempt: int, base_s: float, cap_s: float) -> float:
    """Seconds to wait after failed attempt number ``attempt`` (from 1): uniform in [0, min(cap, base · 2^(attempt-1))].

    "Full jitter" of M. Brooker, *Exponential Backoff And Jitter*, AWS Architecture Blog, 2015: it spreads the retries
    of many clients better than a jittered half does.
    """
    return random() * min(cap_s, base_s * 2.0 ** min(attempt - 1, 60))  # noqa: S311 - no secret hangs on it
