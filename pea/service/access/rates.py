"""How often one may ask: a token bucket for each access token, and one for each address whose attempts fail."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from pea.config import AccessSettings
from pea.config.policies import RatePolicy
from pea.errors import Overloaded
from pea.runtime.policy.rate import RateLimit
from pea.service.access.tokens import Token

MAX_BUCKETS = 4_096
FAILURES = RatePolicy(per_second=0.5, burst=20)


class Rates:
    """The buckets of those who asked lately; those who asked longest ago are forgotten first, and begin full."""

    def __init__(self, settings: AccessSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._buckets: OrderedDict[tuple[object, ...], RateLimit] = OrderedDict()

    def take(self, token: Token) -> None:
        """Count one request of a token. Raises Overloaded with when the next one may come."""
        rate = token.per_second or self._settings.per_second
        burst = token.burst or self._settings.burst
        try:
            self._bucket((token.id, rate, burst), RatePolicy(per_second=rate, burst=burst)).take(self._clock())
        except Overloaded as error:
            raise Overloaded(
                f"token {token.id} has made {burst:,} requests at once, or more than {rate:g} a second",
                retry_after_s=error.retry_after_s,
                where="Authorization",
                fix="ask less often, or give the token another rate: pea tokens add --rate",
            ) from None

    def fail(self, remote: str) -> None:
        """Count one failed attempt from an address. Raises Overloaded when there were too many."""
        try:
            self._bucket((remote,), FAILURES).take(self._clock())
        except Overloaded as error:
            raise Overloaded(
                "too many attempts with wrong tokens came from this address",
                retry_after_s=error.retry_after_s,
                where="Authorization",
                fix="use a token that pea tokens list shows",
            ) from None

    def _bucket(self, key: tuple[object, ...], policy: RatePolicy) -> RateLimit:
        found = self._buckets.get(key)
        if found is None:
            found = self._buckets[key] = RateLimit(str(key[0]), policy)
            if len(self._buckets) > MAX_BUCKETS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return found
