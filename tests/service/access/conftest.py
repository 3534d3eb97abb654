"""A service that asks for tokens, with one for each scope."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pea.service.access.scopes import GRANTED, Scope
from pea.service.access.state import AUDITOR, GATE
from pea.service.access.token_file import read_tokens, write_tokens
from pea.service.access.tokens import Token, issue

NOW = datetime(2026, 5, 12, 7, 30, tzinfo=UTC)


class Keys:
    """Tokens in a file, and their texts by scope."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text: dict[str, str] = {}
        for scope in GRANTED:
            self.add(str(scope), [scope])

    def add(self, name: str, scopes: list[Scope], **options: Any) -> Token:
        """One more token."""
        token, self.text[name] = issue(name, scopes, NOW, **options)
        write_tokens(self.path, {**read_tokens(self.path), token.id: token})
        return token

    def revoke(self, name: str) -> None:
        """One less."""
        write_tokens(self.path, {key: token for key, token in read_tokens(self.path).items() if token.name != name})

    def show(self, name: str) -> dict[str, str]:
        """The headers that show a token."""
        return {"Authorization": f"Bearer {self.text[name]}"}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """A tokens file with one token for each scope."""
    return Keys(tmp_path / "tokens.json")


@pytest.fixture
async def locked(serve, agents, keys, tmp_path) -> AsyncIterator[Any]:
    """A service that asks for tokens, with a state folder."""
    state = tmp_path / "state"
    settings = {"access__tokens": str(keys.path), "access__per_second": 1e6, "access__burst": 1_000_000}
    async with serve(agents["echo"](), agents["gate"](), state=str(state), **settings) as running:
        running.gate = running.service.app[GATE]
        running.auditor = running.service.app[AUDITOR]
        running.state = state
        yield running


def read_again(site: Any) -> None:
    """Have the service look at the tokens file now, as it does every second."""
    site.gate.book._looked = float("-inf")
    site.gate.book.look()
