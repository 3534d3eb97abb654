"""Random ids from a generator of our own, so that ``random.seed`` in user code cannot repeat a trace."""

from __future__ import annotations

import os
import random

from opentelemetry.sdk.trace.id_generator import IdGenerator

_random = random.Random()  # noqa: S311  ids must be unlikely to meet, not hard to guess

#: ``bits(64)`` and ``bits(128)``: one C call, atomic under the GIL.
bits = _random.getrandbits

# A child process would otherwise go on with its parent's sequence.
os.register_at_fork(after_in_child=_random.seed)


class RandomIds(IdGenerator):
    """The SDK's RandomIdGenerator on PEA's own generator."""

    def generate_span_id(self) -> int:
        """A random span id, never zero."""
        return bits(64) or self.generate_span_id()

    def generate_trace_id(self) -> int:
        """A random trace id, never zero."""
        return bits(128) or self.generate_trace_id()

    def is_trace_id_random(self) -> bool:
        """True: all 128 bits are random (W3C Trace Context, level 2)."""
        return True
