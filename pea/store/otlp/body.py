"""Inflates a body within a bound, so that a small bomb stays small."""

from __future__ import annotations

import sys
import zlib

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ENCODINGS = ("gzip", "deflate", "zstd")


class BadBody(Exception):
    """The body is not what its headers say; ``too_large`` when it is only too much."""

    def __init__(self, what: str, *, too_large: bool = False) -> None:
        super().__init__(what)
        self.too_large = too_large


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """The body as it was before ``encoding`` (gzip, deflate, zstd; '' for none); it may have several members or frames.

    Raises BadBody when it is damaged, cut short, or inflates to more than ``limit`` bytes. Releases the GIL at work.
    """
    if not encoding or encoding == "identity":
        return body
    parts: list[bytes] = []
    room, rest = limit + 1, body
    try:
        while rest:
            part, ended, rest = _zstd(rest, room) if encoding == "zstd" else _zlib(rest, room, encoding)
            parts.append(part)
            room -= len(part)
            if room <= 0:
                raise BadBody(f"the body inflates to more than {limit:,} bytes", too_large=True)
            if not ended:
                raise BadBody(f"the {encoding} body is cut short")
    except (zlib.error, zstd.ZstdError, EOFError) as error:
        raise BadBody(f"the body is not {encoding}: {error}") from None
    return b"".join(parts)


def _zlib(data: bytes, room: int, encoding: str) -> tuple[bytes, bool, bytes]:
    inflater = zlib.decompressobj(31 if encoding == "gzip" else 15)
    part = inflater.decompress(data, room)
    return part, inflater.eof, inflater.unused_data


def _zstd(data: bytes, room: int) -> tuple[bytes, bool, bytes]:
    # A frame may ask for a window of gigabytes before it has given one byte: 32 MiB is what we inflate to anyway.
    inflater = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 25})
    part = inflater.decompress(data, room)
    return part, inflater.eof, inflater.unused_data
