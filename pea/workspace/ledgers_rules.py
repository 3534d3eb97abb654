"""The user's own rules: which words make which category, what may be spent on it, what a file cannot say of itself."""

from __future__ import annotations

import re
from decimal import Decimal
from fnmatch import fnmatch
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from pea.workspace.files_report import Unreadable
from pea.workspace.files_walk import read_bytes
from pea.workspace.ledgers_entries import Entry
from pea.workspace.one_file import yaml_of

UNSORTED = "unsorted"
MAX_BYTES = 1 << 20
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names the category of what its words are found in; ``above`` and ``below`` bound the sum without its sign."""

    category: Text
    words: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1, max_length=500)]
    sign: Literal["in", "out", "any"] = "any"
    above: Decimal | None = None
    below: Decimal | None = None


class AccountRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the files that fit a pattern do not say: whose account it is, in which currency, with which sign."""

    files: Text
    name: str = ""
    currency: Currency | None = None
    sign: Literal["as written", "reversed"] = "as written"


class RuleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of rules; see ``ledgers_rules.yaml`` beside this module for an example that is complete."""

    rules: Annotated[tuple[Rule, ...], msgspec.Meta(max_length=2_000)] = ()
    budgets: dict[Text, dict[Currency, Annotated[Decimal, msgspec.Meta()]]] = {}
    accounts: Annotated[tuple[AccountRule, ...], msgspec.Meta(max_length=500)] = ()


class Sorted(msgspec.Struct, frozen=True):
    """A category, and the word and place of the rule that named it."""

    category: str
    why: str


class Sorter:
    """Names categories; the user's rules are asked before the shipped ones. Answers are remembered by text."""

    def __init__(self, own: RuleFile | None = None, shipped: RuleFile | None = None) -> None:
        self.own = own or RuleFile()
        every = [(rule, "your rule") for rule in self.own.rules]
        every += [(rule, "a shipped rule") for rule in (shipped or _shipped()).rules]
        self._rules = [(rule, whose, _pattern(rule.words)) for rule, whose in every]
        self._texts: dict[str, tuple[tuple[Rule, Sorted], ...]] = {}

    def sort(self, entry: Entry) -> Sorted:
        """The category of an entry; ``unsorted`` when no rule holds."""
        text = entry.text.casefold()
        found = self._texts.get(text)
        if found is None:
            found = tuple(
                (rule, Sorted(rule.category, f"{whose}: “{match[0]}”"))
                for rule, whose, pattern in self._rules
                if (match := pattern.search(text)) is not None
            )
            if len(self._texts) >= 50_000:
                self._texts.clear()
            self._texts[text] = found
        for rule, named in found:
            if _fits(rule, entry.amount):
                return named
        return Sorted(UNSORTED, "no rule holds")

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """Every category that a rule or a budget names."""
        return tuple(dict.fromkeys((*(rule.category for rule, _, _ in self._rules), *self.own.budgets)))

    def account(self, path: str) -> AccountRule | None:
        """What the user says of the account in a file (path in the workspace, or its last part)."""
        name = path.rpartition("/")[2]
        return next((one for one in self.own.accounts if fnmatch(path, one.files) or fnmatch(name, one.files)), None)


def read_rules(path: Path) -> RuleFile:
    """The rules in a YAML file. Raises Unreadable that names the field, OSError as usual."""
    return _converted(yaml_of(read_bytes(path, max_bytes=MAX_BYTES)))


def _converted(plain: Any) -> RuleFile:
    try:
        return msgspec.convert(plain, RuleFile, strict=False)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Unreadable(f"its rules cannot be used: {error}") from error


def _shipped() -> RuleFile:
    return _converted(yaml_of(resources.files("pea.workspace").joinpath("ledgers_rules.yaml").read_bytes()))


def _fits(rule: Rule, amount: Decimal) -> bool:
    if (rule.sign == "in" and amount <= 0) or (rule.sign == "out" and amount >= 0):
        return False
    size = abs(amount)
    return (rule.above is None or size > rule.above) and (rule.below is None or size < rule.below)


def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Any of the words as a whole word; nothing a user writes is an expression of its own."""
    parts = []
    for word in words:
        folded = word.casefold().strip()
        stem = re.escape(folded.rstrip("*")).replace(r"\ ", r"\s+")
        parts.append(stem if folded.endswith("*") else rf"{stem}(?!\w)")
    return re.compile(r"(?<!\w)(?:" + "|".join(parts) + ")")
