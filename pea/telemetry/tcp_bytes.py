"""Bytes that have gone over a TCP connection, both ways, as the kernel counts them: nothing is done per message."""

from __future__ import annotations

import socket
import struct
from typing import Any

_BYTES = struct.Struct("@QQ")  # tcpi_bytes_acked and tcpi_bytes_received of Linux's struct tcp_info, since 4.1
_AT = 120


def tcp_bytes(connection: Any) -> int | None:
    """Sent (and acknowledged) and received since it was made; None when it is closed, not TCP, or not on Linux."""
    try:
        said = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _AT + _BYTES.size)
        return int(sum(_BYTES.unpack_from(said, _AT)))
    except (OSError, AttributeError, struct.error):
        return None
