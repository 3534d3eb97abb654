"""What the HTTP boundary itself refuses, before any agent is asked; each class is one kind of problem."""

from __future__ import annotations

from collections.abc import Mapping

from pea.errors import PeaError


class Refusal(PeaError):
    """A request that cannot be served as it was sent; ``headers`` go with the answer."""

    def __init__(
        self, what: str, *, where: str | None = None, fix: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.headers = dict(headers or {})


class MalformedRequest(Refusal):
    """What arrived is not HTTP as RFC 9110 and RFC 9112 define it."""

    code = "malformed_request"


class MalformedJson(Refusal):
    """The body is not JSON, or is JSON that two readers could understand differently."""

    code = "malformed_json"


class BadParameter(Refusal):
    """A query parameter or a header has a value that it cannot have; ``where`` names it."""

    code = "bad_parameter"


class BodyTooLarge(Refusal):
    """The body is larger than the setting ``service.max_body``."""

    code = "body_too_large"


class BodyTooSlow(Refusal):
    """The body did not arrive in time."""

    code = "body_too_slow"


class UnsupportedMedia(Refusal):
    """The body is of another content type or encoding than the route reads."""

    code = "unsupported_media_type"


class NotAcceptable(Refusal):
    """The route cannot answer in any media type that the request accepts."""

    code = "not_acceptable"


class NoSuchRoute(Refusal):
    """Nothing is served under this path."""

    code = "no_such_route"


class UnknownAlert(Refusal):
    """No alert of this id is pending, firing or just resolved."""

    code = "unknown_alert"


class UnknownTrace(Refusal):
    """No trace of this id is in the store: it was never recorded, or has left it."""

    code = "unknown_trace"


class MethodNotAllowed(Refusal):
    """The path exists and does not support this method; the Allow header lists those it does."""

    code = "method_not_allowed"


class Misdirected(Refusal):
    """The request names another host: a web page may be reaching for a service on its visitor's own machine."""

    code = "misdirected_request"


class CrossOrigin(Refusal):
    """A browser says that a page of another site sent this; only PEA's own pages may change something."""

    code = "cross_origin"


class Unauthorised(Refusal):
    """The request shows no token or login that is valid, and this service or route takes one."""

    code = "unauthorised"


class Forbidden(Refusal):
    """The token is valid and has not the scope that the route takes; `pea tokens list` shows what it has."""

    code = "forbidden"


class AuditUnavailable(Refusal):
    """The audit log cannot be written, so nothing may be changed; reading still works. Its disk may be full."""

    code = "audit_unavailable"
    retryable = True


class NotReady(Refusal):
    """The agents are still starting, or none of them can serve."""

    code = "not_ready"
    retryable = True


class HttpError(Refusal):
    """Another HTTP error; its status says which."""

    code = "http_error"
