"""The tokens in use: read when the service starts and again whenever the file changes, without a restart."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pea.errors import ConfigError
from pea.service.access.token_file import Stamp, read_tokens, stamp
from pea.service.access.tokens import Token, recognise
from pea.telemetry import get_logger

LOOK_EVERY_S = 1.0

log = get_logger("pea.service.access")


def utc_now() -> datetime:
    """The present."""
    return datetime.now(UTC)


class Book:
    """Knows the tokens. `locked` once there is, or was, a tokens file: then nobody gets in without one.

    A file that cannot be trusted (malformed, readable by others) is told of and not read; what was read last counts. A
    file that was deleted leaves no token valid: that it is gone never opens the service.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        required: bool,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.locked = required
        self.required = required
        self._path = path
        self._clock = clock
        self._now = now
        self._tokens: dict[str, Token] = {}
        self._seen: Stamp | None = None
        self._problem: str | None = None  # why the file as it is now is not used
        self._looked = float("-inf")
        self._opened = False

    def open(self) -> None:
        """Read the file. Raises ConfigError when it cannot be used, or holds no usable token and one is required."""
        self._opened = True
        if self._path is not None:
            self._seen = stamp(self._path)
            self._tokens = read_tokens(self._path)
            self._looked = self._clock()
            self.locked = self.required or self._seen is not None
        if self.required and not any(not token.expired(self._now()) for token in self._tokens.values()):
            raise ConfigError(
                "the service can be reached from other machines, and there are no access tokens",
                where=str(self._path or "access.tokens"),
                fix="add one: pea tokens add --name me --scope admin; or listen on 127.0.0.1",
            )

    def look(self) -> None:
        """Read the file again if it has changed; it is looked at once a second at most."""
        now = self._clock()
        if self._path is None or not self._opened or now - self._looked < LOOK_EVERY_S:
            return
        self._looked = now
        try:
            seen = stamp(self._path)
            if seen == self._seen and self._problem is None:
                return
            tokens = read_tokens(self._path)
        except ConfigError as error:  # tried again at each look: what is wrong need not be the file's
            self.locked = True
            if str(error) != self._problem:
                self._problem = str(error)
                log.error("the tokens file is not used, what was read before still counts", reason=self._problem)
            return
        self._seen, self._problem = seen, None
        self.locked = self.locked or seen is not None
        added = sorted(tokens.keys() - self._tokens.keys())
        gone = sorted(self._tokens.keys() - tokens.keys())
        self._tokens = tokens
        log.info("the tokens were read anew", tokens=len(tokens), added=added, revoked=gone)

    def recognise(self, text: str) -> Token | None:
        """The token that this text is, unless it has expired or been revoked."""
        token = recognise(text, self._tokens)
        return None if token is None or token.expired(self._now()) else token

    def get(self, number: str) -> Token | None:
        """The token of this id, unless it has expired or been revoked."""
        token = self._tokens.get(number)
        return None if token is None or token.expired(self._now()) else token
