"""The optional language model: any endpoint that speaks OpenAI's chat completions; off until one is configured.

What it writes is text. Nothing that it says calls a capability by itself.
"""

from pea.llm.errors import LlmBudgetSpent, LlmFailed, LlmOff, LlmRefused
from pea.llm.model import Answer, LanguageModel, Message

__all__ = ["Answer", "LanguageModel", "LlmBudgetSpent", "LlmFailed", "LlmOff", "LlmRefused", "Message"]
