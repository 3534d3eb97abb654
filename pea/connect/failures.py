"""What a server can do to us, as errors that say where and what to do."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from pea.errors import PeaError

# What OpenSSL finds wrong with a certificate (x509_vfy.h): X509_V_ERR_HOSTNAME_MISMATCH, …_IP_ADDRESS_MISMATCH;
# X509_V_ERR_CERT_NOT_YET_VALID, …_CERT_HAS_EXPIRED.
_OTHER_NAME, _OTHER_TIME = (62, 64), (9, 10)


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


def insecure(name: str, where: str, error: BaseException) -> Refused | None:
    """Why no encrypted connection with the server of account ``name`` came about; None when that was not the reason."""
    chain = [one for one in _chain(error) if isinstance(one, ssl.SSLError)]
    if not chain:
        return None
    found = chain[-1]  # what libraries wrap it in may be of its type, and know less
    setting = f"connect.accounts.{name}"
    if not isinstance(found, ssl.SSLCertVerificationError):
        fix = f"check the port, and {setting}.tls: tls from the first byte, or starttls"
        return Refused(f"the server does not answer in TLS: {found.reason or found}", where=where, fix=fix)
    if found.verify_code in _OTHER_NAME:
        fix = f"give the name that stands in the certificate as {setting}.host, or in its url"
        return Refused(f"its certificate is for another name: {found.verify_message}", where=where, fix=fix)
    if found.verify_code in _OTHER_TIME:
        fix = "whoever runs the server must renew it; is the clock of this machine right?"
        return Refused(f"its certificate is of another time: {found.verify_message}", where=where, fix=fix)
    fix = f"if it is the right server, give its CA's certificate as {setting}.ca"
    return Refused(f"its certificate is not trusted: {found.verify_message}", where=where, fix=fix)


def no_starttls(name: str, where: str) -> Refused:
    """The server of account ``name`` would be spoken to in the clear."""
    fix = f"set connect.accounts.{name}.tls to tls, and the port that goes with it"
    return Refused("the server offers no STARTTLS", where=where, fix=fix)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
