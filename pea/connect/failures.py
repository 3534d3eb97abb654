"""What a server can do to us, as errors that say where and what to do."""

from __future__ import annotations

from pea.errors import PeaError


class Unreachable(PeaError):
    """The server does not answer, or broke off; it may answer later."""

    code = "server_unreachable"
    retryable = True


class Refused(PeaError):
    """The server answered, and said no."""

    code = "server_refused"


class Changed(PeaError):
    """What was to be written has been changed by somebody else since it was read."""

    code = "changed_meanwhile"


class Uncertain(PeaError):
    """Whether it was done cannot be known, so it is not done again."""

    code = "uncertain"


class CredentialError(PeaError):
    """A password is not where the configuration says, or others may read it."""

    code = "credentials"
