"""Debian's headless Chromium, driven over the DevTools protocol by aiohttp's websocket client."""

import asyncio
import base64
import contextlib
import itertools
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--disable-extensions", "--disable-default-apps", "--mute-audio", "--remote-debugging-port=0"),
)
WAIT_S = 20.0


def chromium() -> str | None:
    """Where Chromium is, if it is here."""
    return shutil.which("chromium")


class Tab:
    """One page in the browser; what it logged and what went wrong is in ``complaints``."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._reader = asyncio.create_task(self._read())
        self.complaints: list[str] = []
        self.requests: list[str] = []

    async def send(self, method: str, **params: Any) -> Any:
        """One command, and its result."""
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(WAIT_S):
            return await answer

    async def open(self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Go to a page in a window of this width and theme, and wait until it has loaded."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.send(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme, still])
        await self.resize(width, height)
        await self.send("Page.navigate", url=url)
        await self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def resize(self, width: int, height: int) -> None:
        """Give the window another size."""
        mobile = width < 500
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile
        )

    async def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = await self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"].get("exception", {}).get("description", answer))
        return answer["result"].get("value")

    async def until(self, condition: str) -> Any:
        """Wait until an expression holds; its value."""
        script = f"""new Promise((done) => {{
            const look = () => {{ const value = {condition}; if (value) done(value); else setTimeout(look, 30); }};
            look();
        }})"""
        for _ in range(3):
            with contextlib.suppress(AssertionError):  # a page that navigates takes the promise with it
                return await self.run(script)
        return await self.run(script)

    async def key(self, name: str) -> None:
        """Press a key, such as ArrowDown or Tab."""
        for kind in ("keyDown", "keyUp"):
            await self.send("Input.dispatchKeyEvent", type=kind, key=name, code=name)

    async def picture(self, path: Path, *, whole: bool = False) -> None:
        """A screenshot; of the whole page if asked."""
        shot = await self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    async def close(self) -> None:
        """Stop listening."""
        self._reader.cancel()
        await asyncio.wait([self._reader])

    async def _read(self) -> None:
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                answer = self._answers.pop(said["id"])
                if not answer.done():
                    if "error" in said:
                        answer.set_exception(AssertionError(said["error"]["message"]))
                    else:
                        answer.set_result(said["result"])
            else:
                self._heard(said["method"], said["params"])

    def _heard(self, method: str, about: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            details = about["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(one.get("value", one.get("description"))) for one in about["args"]))
        elif method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{about['entry']['text']} {about['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])


class Browser:
    """A running Chromium."""

    def __init__(self, address: str, client: aiohttp.ClientSession) -> None:
        self._address = address
        self._client = client

    @contextlib.asynccontextmanager
    async def tab(self) -> AsyncIterator[Tab]:
        """A new page, closed at the end."""
        async with self._client.put(f"{self._address}/json/new?about:blank") as response:
            made = await response.json(content_type=None)
        async with self._client.ws_connect(made["webSocketDebuggerUrl"], max_msg_size=1 << 27) as socket:
            tab = Tab(socket)
            try:
                yield tab
            finally:
                await tab.close()
                await (await self._client.get(f"{self._address}/json/close/{made['id']}")).release()


@contextlib.asynccontextmanager
async def browser(profile: Path) -> AsyncIterator[Browser]:
    """Chromium with an empty profile, on a port of its choice; ended with all that it started."""
    process = await asyncio.create_subprocess_exec(
        str(chromium()),
        *FLAGS,
        f"--user-data-dir={profile}",
        "about:blank",
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(WAIT_S):
            while b"DevTools listening on" not in (line := await process.stderr.readline()):
                assert line, "Chromium did not start"
        address = "http://" + line.decode().split("ws://")[1].split("/")[0]
        drain = asyncio.create_task(process.stderr.read())
        async with aiohttp.ClientSession() as client:
            yield Browser(address, client)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    await drain
