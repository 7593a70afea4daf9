"""What the clients of all loops, threads and processes have in common."""

from __future__ import annotations

import ssl
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

LIMITS = httpx.Limits(
    max_connections=200,
    max_keepalive_connections=64,
    # Well below the two minutes after which a server hangs up, as a request sent into
    # that moment is lost.
    keepalive_expiry=30.0,
)


@cache
def trust(*, tls: bool) -> ssl.SSLContext:
    """Whose certificates are believed: the system's, or those of SSL_CERT_FILE. Read once,
    and only where they are needed, as reading them holds up an event loop for longer than
    a retrieval takes. Without tls nobody's are."""
    return ssl.create_default_context() if tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def settings() -> dict[str, Any]:
    """What every httpx client is made with."""
    return {
        "timeout": None,  # one deadline bounds the whole call
        "follow_redirects": False,  # a redirect would take question and key elsewhere
        # No proxies of the environment, which would be asked for 127.0.0.1 too, and no
        # passwords from ~/.netrc.
        "trust_env": False,
        # One client serves all users, and a cookie of one must not go out with the next.
        "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    }
