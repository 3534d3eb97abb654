"""What agents are told to remember: JSON by namespace and key, searchable, bounded, kept over restarts."""

from pea.memory.memories import AgentMemory, Memories, Remembered

__all__ = ["AgentMemory", "Memories", "Remembered"]
