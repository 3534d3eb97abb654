"""The login in a real browser: the page asks for a token, is live with it, and lets go of it."""

import pytest

from tests.service.access.conftest import read_again
from tests.service.test_page_browser import chrome  # noqa: F401 - the fixture

pytestmark = pytest.mark.service

WRITE = "document.getElementById('token').value = {!r}; document.getElementById('enter').click()"


async def test_the_page_logs_in_is_live_and_logs_out(locked, keys, chrome):  # noqa: F811
    """Whoever opens a page comes to the login and, with a token, back to that page; logging out shuts it again."""
    async with chrome.tab() as tab:
        await tab.open(f"{locked.service.url}/traces?service=pea")
        await tab.until("location.pathname === '/login' && document.getElementById('enter')?.disabled === false")
        await tab.run(WRITE.format("pea_not_a_token"))
        await tab.until("!document.getElementById('wrong').hidden")
        await tab.run(WRITE.format(keys.text["admin"]))
        await tab.until("location.pathname + location.search === '/traces?service=pea'")
        await tab.open(locked.service.url)
        await tab.until("document.querySelectorAll('.tile').length === 6")
        await tab.until("document.querySelectorAll('#agents tr').length === 2")
        assert await tab.run("document.cookie") == ""
        await tab.run(
            "[...document.querySelectorAll('header button')].find((one) => one.textContent === 'Log out').click()"
        )
        await tab.until("location.pathname === '/login'")
        await tab.open(locked.service.url)
        await tab.until("location.pathname === '/login'")


async def test_a_revoked_token_ends_the_page(locked, keys, chrome):  # noqa: F811
    """A page that is open comes back to the login when its token is taken away."""
    async with chrome.tab() as tab:
        await tab.open(f"{locked.service.url}/login")
        await tab.until("document.getElementById('enter')?.disabled === false")
        await tab.run(WRITE.format(keys.text["read"]))
        await tab.until("document.querySelectorAll('.tile').length === 6")
        keys.revoke("read")
        read_again(locked)
        locked.gate.end_streams()
        await tab.until("location.pathname === '/login'")


async def test_the_login_leads_nowhere_else(locked, keys, chrome):  # noqa: F811
    """Whatever the address says, after the login one is on this service."""
    for next_ in ("https://evil.example/", "//evil.example/", "javascript:alert(1)", "\\\\evil.example"):
        async with chrome.tab() as tab:
            await tab.open(f"{locked.service.url}/login?next={next_}")
            await tab.until("document.getElementById('enter')?.disabled === false")
            await tab.run(WRITE.format(keys.text["read"]))
            await tab.until("location.pathname !== '/login'")
            assert await tab.run("location.origin") == locked.service.url
