"""How a request to a language model can fail."""

from __future__ import annotations

from pea.errors import PeaError


class LlmOff(PeaError):
    """No language model is configured."""

    code = "llm_off"

    def __init__(self) -> None:
        super().__init__("no language model is configured", where="llm.url", fix="set llm.url and llm.model")


class LlmFailed(PeaError):
    """The model's server could not be reached, broke off, or answered with what is not its protocol."""

    code = "llm_failed"
    retryable = True


class LlmRefused(PeaError):
    """The model's server refuses this request: a wrong key, an unknown model, a prompt too long for it."""

    code = "llm_refused"


class LlmBudgetSpent(PeaError):
    """The tokens or the money that may be spent, on this task or today, are spent."""

    code = "llm_budget_spent"
