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


def wrong_credentials(name: str, where: str) -> Refused:
    """The server of account ``name`` does not let us in."""
    fix = f"check user and password of connect.accounts.{name}"
    return Refused("the server does not accept the credentials", where=where, fix=fix)


def untrusted(name: str, where: str, told: object) -> Refused:
    """The server of account ``name`` shows a certificate that nobody here vouches for."""
    fix = f"if it is the right one, give its CA as connect.accounts.{name}.ca"
    return Refused(f"its certificate is not trusted: {told}", where=where, fix=fix)
