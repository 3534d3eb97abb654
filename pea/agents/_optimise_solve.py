"""The schedule as a constraint problem, solved by CP-SAT in a worker process.

Time is counted in slots from the first moment looked at. Which start is allowed and what it costs is worked out
beforehand (`pea.agents._optimise_model`); here only what depends on two movable things at once is decided.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from pea import MissingExtra, isolated

SEED = 20_260_512  # the same problem is answered the same way
SEARCHERS = 2  # threads of the solver: worker processes share the processor with the service
GIVE_UP_S = 30.0
MOST_TASKS = 60

Slot = Annotated[int, msgspec.Meta(ge=0, le=100_000)]
Cost = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class Task(msgspec.Struct, frozen=True):
    """Something that may be moved: its length, its allowed starts with a cost each, and what leaving it costs."""

    slots: Slot
    starts: Annotated[tuple[Slot, ...], msgspec.Meta(max_length=10_000)]
    costs: Annotated[tuple[Cost, ...], msgspec.Meta(max_length=10_000)]
    unplaced: Cost


class Focus(msgspec.Struct, frozen=True):
    """A working day in which a stretch without meetings is wanted: its hours, what fixedly takes them, its worth."""

    start: Slot
    end: Slot
    slots: Slot
    taken: Annotated[tuple[tuple[int, int], ...], msgspec.Meta(max_length=1_000)]
    worth: Cost


class Problem(msgspec.Struct, frozen=True):
    """What to decide; ``gaps[i][j]`` slots must lie between the end of task i and the start of task j."""

    tasks: Annotated[tuple[Task, ...], msgspec.Meta(max_length=MOST_TASKS)]
    gaps: Annotated[tuple[tuple[Slot, ...], ...], msgspec.Meta(max_length=MOST_TASKS)]
    focus: Annotated[tuple[Focus, ...], msgspec.Meta(max_length=60)]
    limit_s: Annotated[float, msgspec.Meta(gt=0, le=15)]


class Solution(msgspec.Struct, frozen=True):
    """The starts decided (None: stays where it is), by task; where each focus stretch lies (None: no room).

    ``status`` is ``optimal``, or ``feasible`` when the time ran out first; ``cost`` is what this answer costs and
    ``bound`` what the best possible one costs at least.
    """

    starts: tuple[int | None, ...]
    focus: tuple[int | None, ...]
    status: Literal["optimal", "feasible"]
    cost: int
    bound: int
    seconds: float


@isolated(timeout=GIVE_UP_S)
def solve(problem: Problem) -> Solution:
    """The cheapest schedule found in the time. Raises MissingExtra without ortools."""
    try:
        from ortools.sat.python import cp_model
    except ImportError as error:
        raise MissingExtra("calendar.optimise needs ortools", fix="pip install 'pea[optimise]'") from error
    model = cp_model.CpModel()
    horizon = max((start + t.slots for t in problem.tasks for start in t.starts), default=0) + 1
    horizon = max([horizon, *(day.end for day in problem.focus)])
    costs: list[Any] = []
    chosen: list[list[Any]] = []
    intervals: list[Any] = []
    starts: list[Any] = []
    present: list[Any] = []
    for number, task in enumerate(problem.tasks):
        takes = [model.new_bool_var(f"t{number}s{start}") for start in task.starts]
        here = model.new_bool_var(f"t{number}")
        start = model.new_int_var(0, horizon, f"t{number}start")
        model.add(sum(takes) == here)
        model.add(start == sum(s * x for s, x in zip(task.starts, takes, strict=True)))
        intervals.append(model.new_optional_fixed_size_interval_var(start, task.slots, here, f"t{number}i"))
        costs += [cost * x for cost, x in zip(task.costs, takes, strict=True)] + [task.unplaced * (1 - here)]
        chosen.append(takes)
        starts.append(start)
        present.append(here)
    model.add_no_overlap(intervals)
    _add_ways(model, problem, starts, present)
    blocks = [_add_focus(model, day, intervals, costs) for day in problem.focus]
    model.minimize(sum(costs))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = problem.limit_s
    solver.parameters.num_workers = SEARCHERS
    solver.parameters.random_seed = SEED
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):  # all may stay unplaced: only too little time comes here
        return Solution(
            tuple(None for _ in problem.tasks), tuple(None for _ in blocks), "feasible",
            sum(task.unplaced for task in problem.tasks), 0, solver.wall_time,
        )  # fmt: skip
    return Solution(
        tuple(
            next((s for s, x in zip(task.starts, takes, strict=True) if solver.value(x)), None)
            for task, takes in zip(problem.tasks, chosen, strict=True)
        ),
        tuple(solver.value(start) if solver.value(there) else None for start, there in blocks),
        "optimal" if status == cp_model.OPTIMAL else "feasible",
        round(solver.objective_value),
        round(solver.best_objective_bound),
        solver.wall_time,
    )


def _add_ways(model: Any, problem: Problem, starts: list[Any], present: list[Any]) -> None:
    """Between two movable things in different places there is time for the way, whichever comes first."""
    for i, first in enumerate(problem.tasks):
        for j in range(i + 1, len(problem.tasks)):
            there, back = problem.gaps[i][j], problem.gaps[j][i]
            if not (there or back):
                continue
            order = model.new_bool_var(f"o{i}_{j}")
            both = [present[i], present[j]]
            model.add(starts[i] + first.slots + there <= starts[j]).only_enforce_if([order, *both])
            model.add(starts[j] + problem.tasks[j].slots + back <= starts[i]).only_enforce_if([~order, *both])


def _add_focus(model: Any, day: Focus, intervals: list[Any], costs: list[Any]) -> tuple[Any, Any]:
    """A stretch that nothing overlaps, or its worth is lost."""
    there = model.new_bool_var("focus")
    start = model.new_int_var(day.start, max(day.start, day.end - day.slots), "focus_start")
    if day.end - day.start < day.slots:
        model.add(there == 0)
    stretch = model.new_optional_fixed_size_interval_var(start, day.slots, there, "focus_interval")
    taken = [model.new_fixed_size_interval_var(a, b - a, "taken") for a, b in day.taken]
    # The fixed entries may overlap each other, so each is kept apart from the stretch alone.
    for one in (*taken, *intervals):
        model.add_no_overlap([stretch, one])
    costs.append(day.worth * (1 - there))
    return start, there
