"""A clock that is turned by hand, real spans, and caches on both."""

import shutil

import pytest

from pea.cache import Caches
from pea.config import CacheSettings, L4Settings, Settings
from pea.telemetry import Telemetry
from tests.cache.redis_server import RedisServer


class Clock:
    """Seconds that pass when told to."""

    def __init__(self, now=1_000.0):
        self.now = now

    def __call__(self):
        return self.now

    def turn(self, seconds):
        self.now += seconds


@pytest.fixture
def clock():
    """A clock that stands still."""
    return Clock()


@pytest.fixture
async def telemetry():
    """Real telemetry without receivers; `flush` drains it."""
    made = Telemetry(Settings(), {})
    yield made
    await made.aclose()


@pytest.fixture
async def make_caches(telemetry, clock):
    """Builds caches (memory only unless ``outers`` or a ``state`` directory is given) and closes them."""
    made = []

    def make(state="", outers=None, **settings):
        if not state:
            settings.setdefault("l4", L4Settings(on=False))
        own = Settings(state=str(state), cache=CacheSettings(**settings))
        caches = Caches(own, telemetry.tracer, outers=outers, clock=clock, wall=lambda: 1_700_000_000 + clock())
        made.append(caches)
        return caches

    yield make
    for caches in made:
        await caches.aclose()


@pytest.fixture
def redis_server(tmp_path):
    """A running redis-server of this test's own."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    server = RedisServer(tmp_path).start()
    yield server
    if server.process is not None:
        server.thaw()
    server.kill()
