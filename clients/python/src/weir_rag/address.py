"""Where the server is, and what is said to be let in."""

from __future__ import annotations

import os

import httpx

DEFAULT_URL = "http://127.0.0.1:8080"


def retrieve_url(base_url: str | None) -> str:
    """The address of the retrieval, below base_url, else WEIR_URL, else the default."""
    name, given = ("base_url", base_url) if base_url else ("WEIR_URL", os.environ.get("WEIR_URL"))
    text = (given or DEFAULT_URL).strip()
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, TypeError):
        raise ValueError(f"{name} is not an address; write it like {DEFAULT_URL}") from None
    if url.userinfo:
        # Not shown: it is a password.
        raise ValueError(f"{name} holds a user or password; use api_key or WEIR_API_KEY instead")
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise ValueError(f"{name} is {text!r}; write it like {DEFAULT_URL}")
    return str(url).rstrip("/") + "/v1/retrieve"


def authorization(api_key: str | None) -> bytes | None:
    """The value of the Authorization header from api_key, else WEIR_API_KEY, else None."""
    name, given = (
        ("api_key", api_key) if api_key else ("WEIR_API_KEY", os.environ.get("WEIR_API_KEY"))
    )
    key = (given or "").strip()  # files that hold a key end in a newline
    if not key:
        return None
    if not all("!" <= c <= "~" for c in key):
        # Checked here, because the error of the HTTP library would show the key.
        raise ValueError(f"{name} holds a character that a token cannot have")
    return b"Bearer " + key.encode("ascii")
