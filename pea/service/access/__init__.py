"""Who may do what: tokens with scopes, logins, rates, other sites kept out, TLS, and a log of what was changed."""

from pea.service.access.scopes import Scope

__all__ = ["Scope"]
