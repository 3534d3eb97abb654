"""Sends a service what no honest client would, over every route, and notes what it answers.

Run it against a service for longer: ``python -m tests.service.access.fuzzer URL --pid PID --seconds 300 [--token T]``.
"""

import argparse
import asyncio
import json
import random
import re
import string
import time
from collections import Counter
from pathlib import Path
from urllib.parse import quote, urlsplit

from pea.bench.memory_slope import MOST, slope
from pea.service.application import OTHERS, ROUTES
from pea.service.mcp import routes as mcp_routes
from pea.service.page import page_routes

PATHS = sorted({one.path for one in (*ROUTES, *OTHERS, *mcp_routes(), *page_routes())} | {"/openapi.json"})
USUAL = ("GET", "GET", "POST", "POST", "DELETE", "HEAD")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PRI", "get", "G\x00T", "")
TYPES = ("application/json", "application/x-protobuf", "text/plain", "application/json; charset=utf-7", "a/b", "")
NAMES = (
    *("Accept", "Prefer", "Idempotency-Key", "Last-Event-ID", "traceparent", "tracestate", "baggage", "If-None-Match"),
    *("Content-Encoding", "Transfer-Encoding", "Content-Length", "Expect", "Connection", "Upgrade", "Cookie", "Range"),
    *("Origin", "Sec-Fetch-Site", "Mcp-Session-Id", "X-Forwarded-For", "Authorization", "User-Agent", "Host"),
)
VALUES = (
    *("", "0", "-1", "99999999999999999999", "wait=9e99", "wait=1", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "gzip"),
    *("zstd", "chunked", "identity, chunked", "100-continue", "websocket", "h2c", "null", "*", "*/*;q=nan", "bytes=0-"),
    *("Bearer x", "Bearer " + "A" * 7_000, "Basic Og==", "pea_session=x", "a" * 8_000, "\x7f", "é", "\t", '"', "%00"),
)
JSONS = (
    b"",
    b"{",
    b"null",
    b"[" * 5_000,
    b'{"capability":"echo.say","input":{"words":"x"}}',
    b'{"capability":"echo.say","input":' + b'{"a":' * 200 + b"1" + b"}" * 201,
    b'{"capability":' + b"9" * 5_000 + b"}",
    b'{"a":1e999}',
    b'{"\\ud800":1}',
    b'{"event":"x","variables":{"a":"b"}}',
    b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz"}]}]}]}',
    b'{"token":"pea_000000000000_' + b"A" * 43 + b'"}',
    b"\xff\xfe\x00",
    b"\n\x0f\n\x0d\x12\x0b\x0a\x09",
    bytes(range(256)),
)


class Fuzzer:
    """One sequence of requests, the same for the same seed."""

    def __init__(self, host: str, port: int, seed: int, token: str = "") -> None:
        self.statuses: Counter[int] = Counter()
        self.bad: list[tuple[int, bytes]] = []
        self._random = random.Random(seed)
        self._at = host, port
        self._token = token

    async def request(self) -> None:
        """One connection with one to three requests on it, sent whole or in pieces, or cut off."""
        sent = b"".join(self._one() for _ in range(self._random.choice((1, 1, 1, 2, 3))))
        if self._random.random() < 0.04:
            sent = self._random.randbytes(self._random.randrange(1, 400)) + sent
        if self._random.random() < 0.04:
            sent = sent[: self._random.randrange(len(sent))]
        answer = await self._send(sent)
        for found in re.findall(rb"(?:\A|\r\n\r\n|[}\n])HTTP/1\.[01] (\d{3}) ", answer):
            status = int(found)
            self.statuses[status] += 1
            if status >= 500 and status != 503:
                self.bad.append((status, sent[:2_000]))

    async def _send(self, sent: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self._at)
        answer = bytearray()
        try:
            async with asyncio.timeout(0.5 + self._random.random() / 4):
                for start in range(0, len(sent), step := max(1, len(sent) // self._random.choice((1, 1, 1, 3)))):
                    writer.write(sent[start : start + step])
                    await writer.drain()
                if self._random.random() < 0.1 and writer.can_write_eof():
                    writer.write_eof()
                while data := await reader.read(65_536):
                    answer += data
                    if len(answer) > 1 << 20:
                        break
        except (TimeoutError, OSError):
            pass
        finally:
            writer.transport.abort()
        return bytes(answer)

    def _one(self) -> bytes:
        """A request that is mostly right: one that is wrong in everything gets no further than the parser."""
        pick, rare = self._random.choice, lambda share: self._random.random() < share
        method = pick(METHODS) if rare(0.06) else pick(USUAL)
        version = pick(("1.0", "0.9", "2.0", "x")) if rare(0.06) else "1.1"
        head = [f"{method} {self._target()} HTTP/{version}"]
        if not rare(0.02):
            head.append(f"Host: {pick(('evil.example', '[', '')) if rare(0.03) else 'localhost'}")
        if not rare(0.3):
            head.append("Connection: close")
        if self._token and not rare(0.1):
            head.append(f"Authorization: Bearer {self._token}")
        if rare(0.4):
            head += [f"{pick(NAMES)}: {pick(VALUES)}" for _ in range(self._random.randrange(1, 4))]
        if rare(0.02):
            head += [f"X-{number}: {'y' * 90}" for number in range(pick((10, 100, 1_000)))]
        body = b""
        if method != "GET" or rare(0.1):
            body = self._random.randbytes(self._random.randrange(300)) if rare(0.2) else pick(JSONS)
            head.append(f"Content-Type: {pick(TYPES) if rare(0.3) else 'application/json'}")
            head.append(f"Content-Length: {pick((0, 5, 10**7, 10**20)) if rare(0.05) else len(body)}")
        return "\r\n".join([*head, "", ""]).encode("utf-8", "surrogatepass") + body

    def _target(self) -> str:
        path = re.sub(r"\{\w+\}", lambda _: self._part(), self._random.choice(PATHS))
        if self._random.random() < 0.15:
            path += self._random.choice(("/", "//", "/..", "/%2e%2e/%2e%2e/etc/passwd", "\\", "%00", "#", "?", "%"))
        if self._random.random() < 0.3:
            names = ("limit", "window", "start", "end", "service", "tags", "quantile", "all", "x", "traceID", "cursor")
            query = [f"{self._random.choice(names)}={self._part()}" for _ in range(self._random.randrange(1, 4))]
            path += "?" + "&".join(query)
        return path

    def _part(self) -> str:
        return self._random.choice(
            (
                *(
                    "0" * 24,
                    "0" * 32,
                    "echo",
                    "internal",
                    "1",
                    "-1",
                    "1e309",
                    "NaN",
                    "9" * 30,
                    "%",
                    "%ff",
                    "..",
                    "null",
                ),
                quote("".join(self._random.choices(string.printable, k=20))),
                "a" * 2_000,
                quote("\U0001f4a9" * 10),
            )
        )


async def run(url: str, *, requests: int, seed: int = 1, token: str = "", at_once: int = 8) -> Fuzzer:
    """Send so many connections' worth of requests."""
    parts = urlsplit(url)
    fuzzer = Fuzzer(parts.hostname or "", parts.port or 80, seed, token)
    for _ in range(0, requests, at_once):
        await asyncio.gather(*(fuzzer.request() for _ in range(at_once)))
    return fuzzer


def _rss(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4_096


def main() -> None:
    """The long run: what was answered, how memory went, a line every ten seconds, and its growth in the second half.

    Give the service small bounds (PEA_STORE__SIZE=4MB PEA_RUNTIME__HISTORY=200): what still fills looks like a leak.
    The windows of a quarter of an hour have no setting, so half of the run has to be longer than that.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--token", default="")
    given = parser.parse_args()
    began, told, seed = time.monotonic(), 0.0, 0
    total: Counter[int] = Counter()
    seen: list[tuple[float, float]] = []  # hours, MB
    while (now := time.monotonic() - began) < given.seconds:
        seed += 1
        fuzzer = asyncio.run(run(given.url, requests=400, seed=seed, token=given.token, at_once=16))
        total += fuzzer.statuses
        for status, sent in fuzzer.bad:
            print("BAD", status, sent, flush=True)
        if now - told > 10:
            told = now
            seen.append((now / 3_600, _rss(given.pid) / 1e6))
            open_now = len(list(Path(f"/proc/{given.pid}/fd").iterdir()))
            print(f"{now:6.0f} s  {total.total():8,} answers  {seen[-1][1]:7.1f} MB  {open_now} fds", flush=True)
    print(json.dumps(dict(sorted(total.items()))))
    late = [one for one in seen if one[0] >= seen[-1][0] / 2][-MOST:]
    if len(late) >= 3:
        found = slope(*zip(*late, strict=True))
        print(f"growth in the second half: {found.middle:.2f} MB/h, 95 % interval {found.low:.2f} to {found.high:.2f}")


if __name__ == "__main__":
    main()
