"""The journal's promise as a state machine: whatever was on the disk is there after a crash at any moment.

A crash is a copy of the files as they are, the write-ahead log cut anywhere behind what had been committed, or followed
by the torn beginning of a transaction that was not.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from pea.runtime.journal import Accepted, Changed, Step, StepState
from pea.runtime.journal.recovery import recovered
from pea.runtime.journal.tables import Tables
from pea.runtime.task import Task, TaskState

ENDS = [TaskState.SUCCEEDED, TaskState.FAILED, TaskState.TIMED_OUT, TaskState.CANCELLED]


class JournalMachine(RuleBasedStateMachine):
    """Tasks are promised, run, do steps, wait, end, in transactions of any size; and the process dies."""

    open_tasks = Bundle("open_tasks")

    @initialize()
    def begin(self) -> None:
        memory = Path("/dev/shm")  # what is tested is the order of bytes, not the disk
        self.folder = Path(tempfile.mkdtemp(prefix="pea-journal-", dir=memory if memory.is_dir() else None))
        self.life = self.clock = 0
        self.path = self.folder / "0.db"
        self.tables = Tables.open(self.path)
        self.tasks: dict[str, Task] = {}
        self.steps: dict[tuple[str, str], StepState] = {}
        self.events: dict[str, list[TaskState]] = {}
        self.waiting: list[Accepted | Changed | Step] = []

    def now(self) -> float:
        self.clock += 1
        return float(self.clock)

    def to(self, identity: str, state: TaskState) -> None:
        one = self.tasks[identity].to(state, self.now())
        self.tasks[identity] = one
        self.events[identity].append(state)
        self.waiting.append(Changed(one))

    @rule(target=open_tasks, text=st.text(max_size=20))
    def accept(self, text: str) -> str:
        identity = f"{len(self.tasks):024x}"
        given = msgspec.Raw(msgspec.json.encode({"text": text}))
        one = Task(
            id=identity, capability="a.b", agent="a", input=given, created=self.now(), idempotency_key=text or None
        )
        self.tasks[identity] = one
        self.events[identity] = [TaskState.QUEUED]
        self.waiting.append(Accepted(one, 1))
        return identity

    @rule(target=open_tasks, identity=consumes(open_tasks), end=st.sampled_from(ENDS), ask=st.booleans())
    def go_on(self, identity: str, end: TaskState, ask: bool) -> object:
        """The next state of a task's life; one that has ended leaves the bundle."""
        state = self.tasks[identity].state
        if self.tasks[identity].final:  # a crash ended it
            return multiple()
        if state is TaskState.QUEUED:
            self.to(identity, TaskState.RUNNING)
        elif state is TaskState.WAITING_FOR_APPROVAL:
            self.to(identity, TaskState.QUEUED)
        elif ask:
            self.to(identity, TaskState.WAITING_FOR_APPROVAL)
        else:
            self.to(identity, end)
            return multiple()
        return identity

    @rule(identity=open_tasks, key=st.sampled_from("xyz"), state=st.sampled_from(StepState))
    def step(self, identity: str, key: str, state: StepState) -> None:
        if self.tasks[identity].state is TaskState.RUNNING:
            self.steps[identity, key] = state
            self.waiting.append(Step(task=identity, key=key, capability="a.c", state=state, at=self.now(), data=b"r"))

    @rule()
    def commit(self) -> None:
        self.tables.apply(self.waiting)
        self.waiting.clear()

    @rule(identity=open_tasks)
    def accept_twice(self, identity: str) -> None:
        """A contradiction spoils its own transaction and nothing else."""
        self.commit()
        with pytest.raises(sqlite3.IntegrityError):
            self.tables.apply([Accepted(self.tasks[identity], 1)])

    @rule(torn=st.binary(max_size=5_000), share=st.floats(0, 1), resumable=st.booleans())
    def crash(self, torn: bytes, share: float, resumable: bool) -> None:
        """The process dies while it writes what waits; the next one begins with what is on the disk."""
        self.commit()
        before = self.files()
        lost = Task(id="f" * 24, capability="a.b", agent="a", input=msgspec.Raw(b"1"), created=self.now())
        self.tables.apply([Accepted(lost, 1)])  # its frames, cut off before the commit's last one, never happened
        after = self.files()
        self.tables.close()
        self.life += 1
        self.path = self.folder / f"{self.life}.db"
        whole = after[1].startswith(before[1]) and len(after[1]) > len(before[1])
        cut = len(before[1]) + int(share * max(0, len(after[1]) - len(before[1]) - 1)) if whole else len(before[1])
        self.path.write_bytes(before[0])
        Path(f"{self.path}-wal").write_bytes((after[1][:cut] if whole else before[1]) + torn)
        self.tables = Tables.open(self.path)
        assert self.tables.find("f" * 24) is None
        self.check()
        for one in self.tables.open_tasks():
            known = self.tables.steps(one.task.id)
            now = self.now()
            after_it = recovered(one.task, known, resumable=resumable, most_crashes=1_000, now=now)
            if after_it is not one.task:
                self.tasks[one.task.id] = after_it
                self.events[one.task.id].append(after_it.state)
                self.tables.apply([Changed(after_it)])

    def files(self) -> tuple[bytes, bytes]:
        return self.path.read_bytes(), Path(f"{self.path}-wal").read_bytes()

    @rule()
    def stop_in_order(self) -> None:
        self.commit()
        self.tables.close()
        self.tables = Tables.open(self.path)

    @invariant()
    def committed_is_kept(self) -> None:
        if not self.waiting:
            self.check()

    def check(self) -> None:
        """States, events and steps are those of the model; each task has at most one end."""
        rows = self.tables.db.execute("SELECT task, state FROM event ORDER BY task, number").fetchall()
        events: dict[str, list[str]] = {}
        for identity, state in rows:
            events.setdefault(identity, []).append(state)
        assert events == self.events
        assert all(sum(state in ENDS for state in life) <= 1 for life in events.values())
        open_now = {one.task.id: one.task for one in self.tables.open_tasks()}
        assert open_now == {identity: one for identity, one in self.tasks.items() if not one.final}
        for identity, one in self.tasks.items():
            assert self.tables.find(identity) == one
        steps = self.tables.db.execute("SELECT task, key, state FROM step").fetchall()
        assert {(task, key): state for task, key, state in steps} == self.steps

    def teardown(self) -> None:
        if hasattr(self, "tables"):
            self.tables.close()
            shutil.rmtree(self.folder, ignore_errors=True)


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
