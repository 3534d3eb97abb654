"""The pages in a real browser: they load without a complaint, are live, and a chart point leads to its waterfall."""

import time

import pytest

from pea.service.chronicle import HOLDER
from pea.service.dashboard import BOARD
from tests.service.browser import browser, chromium

pytestmark = pytest.mark.service

WIDTHS = (1280, 390)
ROWS = "document.querySelectorAll('#waterfall .row').length"


@pytest.fixture
async def chrome(tmp_path):
    """A browser with an empty profile."""
    if chromium() is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    async with browser(tmp_path / "profile") as running:
        yield running


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True])
async def test_every_page_loads(site, chrome, width, dark):
    """In both widths and themes nothing is complained of, nothing reaches out, and nothing is wider than the window."""
    task = await site.task("echo.relay", words="hello")
    for path, there in (
        ("/", "document.querySelectorAll('#agents tr').length === 2"),
        ("/traces", "document.querySelectorAll('#results li').length > 0"),
        (f"/traces/{task['trace_id']}", f"{ROWS} >= 5"),
    ):
        async with chrome.tab() as tab:
            await tab.open(site.service.url + path, width=width, dark=dark)
            await tab.until(there)
            assert await tab.run("document.documentElement.scrollWidth") == width, path
            assert tab.complaints == []
            assert {url.split("/")[2] for url in tab.requests} == {site.service.url.split("/")[2]}


async def test_figures_are_live(site, chrome):
    """A task that ends shows in the figures, the agents and the tasks without anybody asking."""
    async with chrome.tab() as tab:
        await tab.open(site.service.url)
        await tab.until("document.querySelectorAll('.tile').length === 6")
        assert await tab.run("document.querySelector('.tile .value').textContent") == "0"
        await site.task("echo.relay", words="hello")
        await tab.until("document.querySelector('.tile .value').textContent === '1'")
        await tab.until("document.querySelectorAll('#tasks .task').length === 1")
        await tab.until(
            "[...document.querySelectorAll('#agents .in-rate')].every((cell) => /\\d/.test(cell.textContent))"
        )
        assert tab.complaints == []


async def test_a_chart_point_opens_its_trace(site, chrome):
    """From a point of the response times, by keyboard, to the waterfall of a trace that stands for it."""
    task = await site.task("echo.relay", words="hello")
    await site.service.runtime.telemetry.flush()
    board, chronicle = site.service.app[BOARD], site.service.app[HOLDER].chronicle
    later = time.time() + 10
    board.pulse._clock = chronicle._clock = board._clock = lambda: later  # the slot is full, without waiting for it
    chronicle.sample()
    async with chrome.tab() as tab:
        await tab.open(site.service.url)
        await tab.until("document.querySelector('#chart-response .dot')")
        await tab.run("document.querySelector('#chart-response .plot').focus()")
        await tab.key("End")
        assert "trace" in await tab.run("document.querySelector('#chart-response .tip').textContent")
        await tab.key("Enter")
        await tab.until(f"location.pathname.startsWith('/traces/') && {ROWS} > 0")
        assert await tab.run("location.pathname.split('/').pop()") == task["trace_id"]
        assert tab.complaints == []


async def test_an_idle_service_has_an_axis_of_requests(site, chrome):
    """Where nothing was asked the throughput's axis shows requests that could be, not what is next to nought."""
    board, chronicle = site.service.app[BOARD], site.service.app[HOLDER].chronicle
    later = time.time() + 10
    board.pulse._clock = chronicle._clock = board._clock = lambda: later
    chronicle.sample()
    async with chrome.tab() as tab:
        await tab.open(site.service.url)
        ticks = "[...document.querySelectorAll('#chart-rate .grid + .tick')].map((one) => one.textContent)"
        await tab.until("document.querySelector('#chart-rate .one')")
        assert await tab.run(ticks) == ["0 /s", "1.5 /min", "3 /min"]


async def test_the_waterfall_by_keyboard(site, chrome):
    """Arrows move, left folds and right unfolds; what is selected is told to screen readers and in the details."""
    task = await site.task("echo.relay", words="hello")
    async with chrome.tab() as tab:
        await tab.open(f"{site.service.url}/traces/{task['trace_id']}")
        await tab.until(f"{ROWS} > 3")
        rows = await tab.run(ROWS)
        await tab.run("document.getElementById('waterfall').focus()")
        for key in ("Home", "ArrowDown"):
            await tab.key(key)
        active = "document.getElementById('waterfall').getAttribute('aria-activedescendant')"
        assert await tab.run(f"document.getElementById({active}).getAttribute('aria-level')") == "2"
        assert "task echo.relay" in await tab.run("document.getElementById('details-title').textContent")
        await tab.key("ArrowLeft")
        assert await tab.run(ROWS) == 2
        await tab.key("ArrowRight")
        assert await tab.run(ROWS) == rows
        assert await tab.run("document.querySelectorAll('#graph .node').length") == 3


async def test_ten_thousand_spans(site, chrome):
    """Of a huge trace only the rows in sight are drawn, and the last can be reached at once."""
    tracer = site.service.runtime.telemetry.tracer
    with tracer.span("root") as root:
        for number in range(9_500):
            with tracer.span(f"step {number}"):
                pass
        trace_id = f"{root.get_span_context().trace_id:032x}"
    await site.service.runtime.telemetry.flush()
    site.service.app[HOLDER].chronicle.flush()
    async with chrome.tab() as tab:
        await tab.open(f"{site.service.url}/traces/{trace_id}")
        await tab.until(f"{ROWS} > 10")
        assert await tab.run(ROWS) < 100
        await tab.run("document.getElementById('waterfall').focus()")
        await tab.key("End")
        await tab.until("document.querySelector('.row[aria-selected=true]')?.textContent.includes('step 9499')")
        assert await tab.run(ROWS) < 100
        assert tab.complaints == []


async def test_five_hundred_agents(site, chrome):
    """A large fleet has a row each, and can be searched."""
    tracer = site.service.runtime.telemetry.tracer
    for number in range(500):
        about = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": f"agent-{number:03}"}
        with tracer.span(f"invoke_agent agent-{number:03}", about):
            pass
    await site.service.runtime.telemetry.flush()
    async with chrome.tab() as tab:
        await tab.open(site.service.url)
        await tab.until("document.querySelectorAll('#agents tr').length === 502")
        await tab.run(
            "(() => { const field = document.getElementById('agent-filter'); field.value = '499';"
            " field.dispatchEvent(new Event('input')); })()"
        )
        await tab.until("document.querySelectorAll('#agents tr').length === 1")
        assert tab.complaints == []


async def test_the_page_meets_a_service_that_was_restarted(serve, agents, chrome):
    """When the service goes the page says so, and when another comes to the same address it goes on."""
    async with serve(agents["echo"]()) as first, chrome.tab() as tab:
        port = int(first.service.url.rpartition(":")[2])
        await tab.open(first.service.url)
        await tab.until("document.querySelector('.service.ready')")
        await first.service.close()
        await tab.until("document.querySelector('.service.gone')")
        async with serve(agents["echo"](), agents["gate"](), service__port=port):
            await tab.until("document.querySelector('.service.ready')")
            await tab.until("document.querySelectorAll('#agents tr').length === 2")
