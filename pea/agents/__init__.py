"""The agents, one module each; found through the entry-point group ``pea.agents``."""
