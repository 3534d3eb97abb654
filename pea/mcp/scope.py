"""Where a transport puts the trace context of its own request for the server to find it."""

from __future__ import annotations

SCOPE_CONTEXT = "pea.context"
