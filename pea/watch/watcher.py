"""The detector at work: rules evaluated over the windows, alerts moved on, causes asked for, people told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from pea.watch.alert import Alert, State
from pea.watch.book import Book, Change, Silence
from pea.watch.evaluate import exemplars, needs, readings
from pea.watch.memory import BASELINES, Memory, recall, recall_baselines, remember
from pea.watch.notify import Delivery, Outbox, Planner, Send, to_log
from pea.watch.reading import Reading, Scene
from pea.watch.rule import BUILT_IN_RECEIVERS, Rule, RuleSet
from pea.watch.signals import signal

INTERVAL_S = 10.0
SETTLED_S = 30.0  # after an alert has fired: its cause is then looked for once more, among more traces
LEARNED_S = 300.0  # between two writings of what baselines have learned
SLICE_S = 0.001
BREATH = 8  # readings

_log = logging.getLogger(__name__)

Investigate = Callable[[Alert, Rule], Awaitable[Alert]]


class WatchStatus(msgspec.Struct, frozen=True):
    """The watcher's own account: evaluations, what the last one took, rules that failed, receivers."""

    evaluations: int
    evaluation_s: float
    failures: int
    overflowed: int
    receivers: dict[str, Delivery]


class Watcher:
    """Rules, alerts and receivers of one service. `evaluate` is one round; `run` does them until cancelled.

    ``investigate`` is given each alert that fires, and returns it with its causes; ``pin`` keeps exemplar traces.
    ``on_change`` hears of every change of state.
    """

    def __init__(
        self,
        scene: Scene,
        rules: RuleSet = RuleSet(),  # noqa: B008 - it is frozen
        *,
        path: Path | None = None,
        clock: Callable[[], float] = time.time,
        senders: Callable[[RuleSet], dict[str, Send]] = lambda rules: {},  # noqa: ARG005
        investigate: Investigate | None = None,
        pin: Callable[[int], object] | None = None,
    ) -> None:
        memory = recall(path)
        recall_baselines(path, scene.learners)
        self.scene = scene
        self.rules = RuleSet()
        self.book = Book(memory.book)
        self.outbox = Outbox(memory.outbox, clock=clock)
        self.on_change: list[Callable[[Change], None]] = []
        self._planner = Planner(memory.planner)
        self._path = path
        self._clock = clock
        self._make_senders = senders
        self._senders: dict[str, Send] = {}
        self._investigate = investigate
        self._pin = pin
        self._investigating: set[asyncio.Task[None]] = set()
        self._unsettled: dict[str, float] = {}  # occurrences by when their cause was first looked for
        self._evaluations = self._failures = 0
        self._evaluation_s = 0.0
        self._failed: set[str] = set()
        for alert in self.book.alerts():  # what they showed before a restart, they go on showing
            self._pin_all(alert)
        self.use(rules)

    def use(self, rules: RuleSet) -> list[Change]:
        """Go on with these rules; alerts of rules that are no more end."""
        self.rules = rules
        self.scene.windows.need(needs(rules.rules))
        if rules.rules:
            self.scene.learners.keep_only(rules.rules, self._clock())
        self._senders = {**dict.fromkeys(BUILT_IN_RECEIVERS, to_log), **self._make_senders(rules)}
        changes = self.book.keep_only(rules.rules, self._clock()) if self._evaluations or rules.rules else []
        self._hear(changes)
        return changes

    def evaluate(self, now_s: float | None = None) -> list[Change]:
        """One round at ``now_s`` (the clock's time by default): all rules, then the notices that are due."""
        changes = [change for part in self._round(now_s) for change in part]
        self.plan(now_s)
        return changes

    async def evaluate_politely(self) -> list[Change]:
        """One round, with a pause for others after each millisecond of work."""
        changes: list[Change] = []
        began = time.perf_counter()
        for part in self._round(None):
            changes += part
            if time.perf_counter() - began >= SLICE_S:
                await asyncio.sleep(0)
                began = time.perf_counter()
        for alert in [change.alert for change in changes if change.alert.state is State.FIRING]:
            rule = self._look_into(alert)
            if rule is not None and signal(rule.signal).of_spans:  # what was allocated can be told only once
                self._unsettled[alert.occurrence] = self._clock()
        self._look_again()
        if self._investigating:  # what they find within two seconds is told with the alert
            await asyncio.wait(self._investigating, timeout=2.0)
        self.plan()
        return changes

    def plan(self, now_s: float | None = None) -> None:
        """Queue the notices that are due."""
        now_s = self._clock() if now_s is None else now_s
        notices = self._planner.plan(self.book.alerts(), self.rules, now_s, lambda alert: self.muted(alert, now_s))
        self.outbox.put(notices)

    def muted(self, alert: Alert, now_s: float | None = None) -> bool:
        """Whether an alert tells nobody: it is silenced, or inhibited by another."""
        now_s = self._clock() if now_s is None else now_s
        silenced = self.book.silenced(alert, now_s) is not None
        return silenced or self.book.inhibited(alert, self.rules, now_s) is not None

    async def run(self, interval_s: float = INTERVAL_S) -> None:
        """Evaluate, tell and remember at every interval until cancelled."""
        telling: asyncio.Task[bool] | None = None
        learned_s = self._clock()
        while True:
            await asyncio.sleep(interval_s - self._clock() % interval_s)
            changes = await self.evaluate_politely()
            if telling is None or telling.done():
                telling = asyncio.create_task(self.outbox.deliver(self._senders), name="pea-notify")
            if changes or self.outbox.state().waiting or self.book.alerts():
                await self.save()
            if self._clock() - learned_s >= LEARNED_S:
                learned_s = self._clock()
                await self.save_baselines()

    async def deliver(self) -> bool:
        """Send what is due now; see `Outbox.deliver`."""
        return await self.outbox.deliver(self._senders)

    def silence(self, alert: Alert, lasts_s: float, comment: str = "") -> Silence:
        """Silence one alert."""
        return self.book.silence(
            rule=alert.rule, labels=alert.labels, now_s=self._clock(), lasts_s=lasts_s, comment=comment
        )

    async def save(self) -> None:
        """Write what must survive a restart."""
        if self._path is not None:
            await asyncio.to_thread(remember, self._path, self.memory())

    async def save_baselines(self) -> None:
        """Write what baselines have learned."""
        learned = self.scene.learners.save()
        if self._path is not None and learned:
            await asyncio.to_thread(remember, self._path.with_name(BASELINES), learned)

    def memory(self) -> bytes:
        """What must survive a restart, encoded."""
        held = Memory(book=self.book.state(), planner=self._planner.state, outbox=self.outbox.state())
        return msgspec.json.encode(held)

    async def aclose(self) -> None:
        """Try once more to tell what waits, and write everything."""
        for task in self._investigating:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                await self.deliver()
        await self.save()
        await self.save_baselines()

    def status(self) -> WatchStatus:
        """Counts and times."""
        overflowed = self.book.overflowed + self.scene.learners.overflowed
        return WatchStatus(self._evaluations, self._evaluation_s, self._failures, overflowed, self.outbox.status())

    def _round(self, now_s: float | None) -> Iterator[list[Change]]:
        now_s = self._clock() if now_s is None else now_s
        took, began = 0.0, time.perf_counter()
        for rule in self.rules.rules:
            for part in self._one(rule, now_s):
                took += time.perf_counter() - began
                yield part
                began = time.perf_counter()
        self.scene.windows.forget(now_s)
        self._evaluations += 1
        self._evaluation_s = took

    def _one(self, rule: Rule, now_s: float) -> Iterator[list[Change]]:
        """A rule's changes at the end, and nothing after each few readings."""
        found: list[Reading] = []
        looked = 0
        try:
            for reading in readings(rule, self.scene, now_s, self.book.active(rule.name)):
                looked += 1
                if reading is not None:
                    found.append(reading)
                if looked % BREATH == 0:
                    yield []
        except Exception:  # noqa: BLE001 - one rule's fault must not blind the others
            self._failures += 1
            if rule.name not in self._failed:
                self._failed.add(rule.name)
                _log.exception("the rule %s could not be evaluated", rule.name)
            return
        changes = [self._with_exemplars(change, rule, now_s) for change in self.book.update(rule, found, now_s)]
        self._hear(changes)
        yield changes

    def _with_exemplars(self, change: Change, rule: Rule, now_s: float) -> Change:
        alert = change.alert
        if alert.state is not State.FIRING:
            return change
        traces = exemplars(rule, self.scene.windows, tuple(alert.labels.values()), now_s)
        alert = msgspec.structs.replace(alert, exemplars=tuple(f"{trace:032x}" for trace in traces))
        self._pin_all(alert)
        self.book.replace(alert)
        return Change(change.before, alert)

    def _pin_all(self, alert: Alert) -> None:
        if self._pin is not None:
            for trace in alert.exemplars:
                self._pin(int(trace, 16))

    def _look_into(self, alert: Alert) -> Rule | None:
        """Look for the cause; the alert's rule, or None where nobody looks."""
        rule = next((rule for rule in self.rules.rules if rule.name == alert.rule), None)
        if self._investigate is None or rule is None:
            return None
        task = asyncio.create_task(self._investigated(self._investigate, alert, rule), name=f"pea-cause-{alert.id}")
        self._investigating.add(task)
        task.add_done_callback(self._investigating.discard)
        return rule

    def _look_again(self) -> None:
        """Once, when an alert has been firing for a while: its first traces were few."""
        due_s = self._clock() - SETTLED_S
        due = {occurrence for occurrence, since_s in self._unsettled.items() if since_s <= due_s}
        for alert in self.book.alerts(State.FIRING) if due else ():
            if alert.occurrence in due:
                self._look_into(alert)
        for occurrence in due:
            del self._unsettled[occurrence]

    async def _investigated(self, investigate: Investigate, alert: Alert, rule: Rule) -> None:
        try:
            found = await investigate(alert, rule)
            self._pin_all(found)
            if found.cause or not alert.cause:  # what was found first is not given up for nothing
                self.book.replace(found)
        except Exception:  # noqa: BLE001 - an alert without its cause is still an alert
            _log.exception("the cause of %s could not be looked for", alert.rule)

    def _hear(self, changes: Sequence[Change]) -> None:
        for change in changes:
            for hear in self.on_change:
                hear(change)
