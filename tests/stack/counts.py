"""What the tests of the stack counted, for the last lines of the run."""

COUNTED: dict[str, str] = {}
