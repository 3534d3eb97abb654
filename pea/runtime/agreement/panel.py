"""Who votes: the replicas of one capability, or independent agents; and the round they hold, as a span."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import Context as Variables
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import Status, StatusCode

from pea.config import RuntimeSettings
from pea.errors import AgentUnavailable, Conflict, Disagreement
from pea.runtime.agreement.ballot import Agreement, Vote
from pea.runtime.agreement.equality import Equality, Exact
from pea.runtime.agreement.records import Records, Voter
from pea.runtime.agreement.round import Ask, Extract, hold
from pea.runtime.agreement.stakes import STAKES, Stakes
from pea.runtime.agreement.tally import most_faults, quorum
from pea.runtime.contract import Capability
from pea.runtime.deadline import DeadlineTable
from pea.runtime.directory import Directory
from pea.runtime.journal.steps import SCOPE
from pea.runtime.policy.breaker import Breaker
from pea.runtime.policy.lane import Lane
from pea.runtime.policy.layers import Call, retrying
from pea.runtime.policy.route import Guards
from pea.telemetry import ActiveSpan, Tracer, UnrecordedSpan, names

if TYPE_CHECKING:
    from pea.runtime.dispatch import Dispatcher

LEAST_VOTERS = 4  # the fewest that bear one liar
_QUORUM = names.SPAN_QUORUM + " "


class Panels:
    """The panels of one dispatcher, made at their first round; and the voters' records."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        directory: Directory,
        guards: Guards,
        tracer: Tracer,
        deadlines: DeadlineTable,
        settings: RuntimeSettings,
    ) -> None:
        self.records = Records()
        self._dispatcher = dispatcher
        self._directory = directory
        self._guards = guards
        self._tracer = tracer
        self._deadlines = deadlines
        self._settings = settings
        self._lanes: dict[str, dict[int, tuple[Lane, Call]]] = {}
        self._most: dict[str, int] = {}  # agents that tasks of a capability have touched
        self.on = any(count >= LEAST_VOTERS for count in settings.replicas.values())

    def forget(self) -> None:
        """Look the replicas up anew; called when an agent's state changes."""
        self._lanes.clear()

    def stakes(self, capability: str, *, critical: bool) -> Stakes:
        """What is at stake in a task for this capability."""
        return Stakes(capability, self._most, critical=critical and self._settings.agreement.critical)

    def guarded(self, capability: Capability, call: Call) -> Call:
        """``call``, put to the vote in tasks that ask for it; where nobody has four replicas, ``call`` itself."""
        if not self.on:
            return call
        own = self._settings.agreement
        votes = (
            capability.declared.idempotent
            and self._directory.record(capability.agent).replicas >= LEAST_VOTERS
            and not {capability.name, capability.agent} & set(own.never)
        )

        async def staked(arguments: Mapping[str, Any], deadline: float, task_id: str | None) -> Any:
            stakes = STAKES.get()
            if stakes is None:
                return await call(arguments, deadline, task_id)
            stakes.touch(capability.agent)
            if not votes or not stakes.high(own.agents):
                return await call(arguments, deadline, task_id)
            return (await self.agree(capability.name, arguments, deadline, task_id)).require()

        return staked

    async def agree(
        self,
        voters: str | Sequence[str],
        arguments: Mapping[str, Any],
        deadline: float,
        task_id: str | None,
        *,
        faults: int | None = None,
        equality: Equality | None = None,
        by: Extract | None = None,
    ) -> Agreement[Any]:
        """Hold a round; see `Context.agree`."""
        if isinstance(voters, str):
            about, asks, known = voters, *self._replicas(voters, arguments, deadline, task_id)
        else:
            about, asks, known = self._independent(voters, arguments, deadline, task_id)
        bear = most_faults(len(asks)) if faults is None else faults
        if bear == 0 and faults is None:
            fix = "ask at least 4, or say faults=0 when it is enough that most say the same"
            raise Conflict(f"{len(asks)} voters cannot bear one liar", where=about, fix=fix)
        needed = quorum(len(asks), bear)
        own: dict[str, Any] = {
            names.PEA_CAPABILITY: about,
            names.PEA_QUORUM_VOTERS: len(asks),
            names.PEA_QUORUM_FAULTS: bear,
            names.PEA_QUORUM_NEEDED: needed,
        }
        with self._tracer.span(_QUORUM + about, own) as span:
            agreement, outcome = await hold(
                about,
                asks,
                faults=bear,
                equality=equality or Exact(),
                by=by,
                clock=self._dispatcher.clock,
                prepare=_alone,
            )
            span.set_attribute(names.PEA_QUORUM_OUTCOME, outcome.value)
            self._tell(agreement, span)
        self.records.note(agreement, known)
        self._blame(agreement, known)
        return agreement

    def _replicas(
        self, name: str, arguments: Mapping[str, Any], deadline: float, task_id: str | None
    ) -> tuple[dict[str, Ask], dict[str, Voter]]:
        lanes = self._lanes.get(name)
        if lanes is None:
            lanes = self._lanes[name] = self._make(name)
        found = self._directory.capability(name)
        found.bind(arguments)  # wrong input is an error, not a vote
        agent = found.agent
        asks: dict[str, Ask] = {}
        known: dict[str, Voter] = {}
        for number in range(1, self._directory.record(agent).replicas + 1):
            voter = f"{name} (replica {number})"
            known[voter] = Voter(agent, number)
            if number in lanes:
                asks[voter] = partial(lanes[number][1], arguments, deadline, task_id)
            else:
                asks[voter] = partial(_out, voter, self._directory.reason(agent, number))
        return asks, known

    def _make(self, name: str) -> dict[int, tuple[Lane, Call]]:
        """A lane to each replica in service, without the cache they share: each has to answer for itself."""
        guards = self._guards
        made: dict[int, tuple[Lane, Call]] = {}
        infect = self._dispatcher.infect
        for number, found in self._directory.replicas(name):
            one = found if infect is None else infect(found)
            if not one.declared.idempotent:
                fix = "declare it with idempotent=True, if running it several times does no harm"
                raise Conflict("only what is idempotent can be put to the vote", where=name, fix=fix)
            policy = guards.policy(one)
            lane = Lane(
                one,
                self._dispatcher,
                self._tracer,
                self._deadlines,
                self._dispatcher.clock,
                timeout_s=policy.timeout_s,
                breaker=guards.breaker(one, number),
                gates=guards.gates(one),
                results=None,
                replica=number,
            )
            call: Call = lane.attempt
            if policy.retries:
                successes = _successes(lane.breaker)
                call = retrying(lane.attempt, policy, guards.budget(one), successes, self._dispatcher.clock)
            made[number or 1] = lane, call
        return made

    def _independent(
        self, voters: Sequence[str], arguments: Mapping[str, Any], deadline: float, task_id: str | None
    ) -> tuple[str, dict[str, Ask], dict[str, Voter]]:
        if len(set(voters)) != len(voters):
            raise Conflict("nobody votes twice", where=", ".join(voters), fix="name each voter once")
        asks: dict[str, Ask] = {}
        known: dict[str, Voter] = {}
        for name in voters:
            found = self._directory.capabilities.get(name) or self._directory.capability(name)
            if not found.declared.idempotent:
                raise Conflict("only what is idempotent can be put to the vote", where=name)
            found.bind(arguments)
            asks[name] = partial(self._dispatcher.call_at, name, arguments, deadline, task_id)
            known[name] = Voter(found.agent, None)
        return "+".join(voters), asks, known

    def _tell(self, agreement: Agreement[Any], span: ActiveSpan | UnrecordedSpan) -> None:
        agreed = sum(ballot.vote is Vote.AGREED for ballot in agreement.ballots)
        span.set_attribute(names.PEA_QUORUM_AGREED, agreed)
        for ballot in agreement.ballots:
            if agreement.decided and ballot.vote is Vote.DISSENTED:
                span.add_event(names.EVENT_QUORUM_DISSENT, {names.PEA_QUORUM_VOTER: ballot.voter})
        if not agreement.decided:
            span.set_attribute(names.ERROR_TYPE, Disagreement.code)
            span.set_status(Status(StatusCode.ERROR, agreement.told))

    def _blame(self, agreement: Agreement[Any], known: Mapping[str, Voter]) -> None:
        """Who said something else than what was decided has failed, as its breaker counts: plain calls leave it too."""
        if not agreement.decided:
            return
        lanes = self._lanes.get(agreement.capability, {})
        for ballot in agreement.ballots:
            number = known[ballot.voter].replica
            if ballot.vote is Vote.DISSENTED and number in lanes:
                breaker = lanes[number][0].breaker
                breaker.failed(breaker.generation, self._dispatcher.clock())


def _successes(breaker: Breaker) -> Callable[[], int]:
    return lambda: breaker.ok


async def _out(voter: str, reason: str | None) -> Any:
    """The part of a replica that is out of service."""
    raise AgentUnavailable(reason or "it is out of service", where=voter)


def _alone(context: Variables) -> None:
    """A voter's own calls are neither put to the vote again nor written as steps of the task: several make them."""
    context.run(STAKES.set, None)
    context.run(SCOPE.set, None)
