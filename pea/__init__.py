"""PEA: a fleet of agents that does an executive's office work, in which nothing happens unobserved."""
