"""The clients of the crash bench: they submit without a pause, and remember what they were promised."""

from __future__ import annotations

import asyncio
import time

import aiohttp

PAUSE_S = 0.005
TIMEOUT_S = 30.0


class Promises:
    """What was submitted by key, and what was answered.

    ``accepted`` has the task's id by key. ``unsure`` are keys whose answer was cut off: they are submitted again, and
    must give one task all the same. ``contradictions`` are keys that gave two.
    """

    def __init__(self) -> None:
        self.accepted: dict[str, str] = {}
        self.unsure: list[str] = []
        self.asked_again = 0
        self.contradictions: list[str] = []
        self.refused = 0
        self.took_s: list[float] = []
        self._count = 0

    def next_key(self) -> str:
        """A key that was cut off, or a new one."""
        if self.unsure:
            self.asked_again += 1
            return self.unsure.pop()
        self._count += 1
        return f"key-{self._count}"

    def promised(self, key: str, identity: str) -> None:
        """A task was accepted under the key."""
        if self.accepted.setdefault(key, identity) != identity:
            self.contradictions.append(key)


async def load(url: str, promises: Promises, clients: int, stop: asyncio.Event) -> None:
    """Submit from so many clients until told to stop; a service that is away is asked again."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(url, timeout=timeout) as session:
        await asyncio.gather(*(_client(session, promises, stop) for _ in range(clients)))


async def _client(session: aiohttp.ClientSession, promises: Promises, stop: asyncio.Event) -> None:
    while not stop.is_set():
        key = promises.next_key()
        number = int(key.partition("-")[2])
        body = {"capability": "worker.pay" if number % 5 == 0 else "worker.job", "input": {"number": number}}
        began = time.perf_counter()
        try:
            async with session.post("/v1/tasks", json=body, headers={"Idempotency-Key": key}) as answer:
                if answer.status not in {200, 202}:
                    promises.refused += 1
                    promises.unsure.append(key)
                    await asyncio.sleep(4 * PAUSE_S)
                    continue
                # The promise is the status line: what the body says of the task is only its name.
                promises.promised(key, (answer.headers["Location"]).rpartition("/")[2])
            promises.took_s.append(time.perf_counter() - began)
        except (aiohttp.ClientError, OSError, TimeoutError):
            promises.unsure.append(key)
            await asyncio.sleep(4 * PAUSE_S)
        await asyncio.sleep(PAUSE_S)
