"""Whose code is whose: by an agent's class and file."""

from pea import Agent, Context, capability
from pea.runtime.owners import Owners


class First(Agent):
    """One agent of this file."""

    name = "first"

    @capability("first.do")
    async def do(self, ctx: Context) -> int:
        return 1


class Second(Agent):
    """Another one."""

    name = "second"

    @capability("second.do")
    async def do(self, ctx: Context) -> int:
        return 2


def helper():
    """A function of the file."""


def test_the_only_agent_of_a_file_owns_all_its_code():
    """Functions beside the class are its own."""
    owner = Owners([First(), First()])
    assert owner(First.do.__code__) == owner(helper.__code__) == "first"


def test_agents_of_one_file_own_what_is_in_their_classes():
    """What is in neither class is nobody's."""
    owner = Owners([First(), Second()])
    assert (owner(First.do.__code__), owner(Second.do.__code__), owner(helper.__code__)) == ("first", "second", "")


def test_one_class_under_two_names_is_nobodys():
    """There is no telling which of them runs; code of other files is nobody's either."""
    again = First()
    again.name = "again"
    owner = Owners([First(), again, Second()])
    assert owner(First.do.__code__) == ""
    assert owner(Second.do.__code__) == "second"
    assert owner(Owners.__call__.__code__) == ""
