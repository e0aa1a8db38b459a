"""Who asks: the user who logged in, or else the browser, which a cookie tells from others; it allows nothing more."""

import re
import secrets
from collections.abc import Mapping
from typing import Any

COOKIE = "webui_browser"
USER = "webui.user"  # the key of an ASGI scope under which the guard notes who has logged in
BROWSER = "webui.browser"  # the key of an ASGI scope for a browser that is given its cookie with the answer
PAGE = "page"  # begins the owner of a job that a page sent for nobody who logged in

_FORM = re.compile(r"[A-Za-z0-9_-]{32}")


def new_browser() -> str:
    """The value of a cookie for a browser that has none."""
    return secrets.token_urlsafe(24)


def browser_of(scope: Mapping[str, Any]) -> str:
    """The value of the browser's cookie; "" where a request has none of the right form, and is not just given one.

    Args:
        scope: the request's, as ASGI has it.
    """
    values = [
        value.strip()
        for name, line in scope.get("headers", ())
        if name.lower() == b"cookie"
        for key, _, value in (pair.partition("=") for pair in line.decode("latin-1").split(";"))
        if key.strip() == COOKIE
    ]
    given = str(scope.get(BROWSER, ""))
    return given or next((value for value in values if _FORM.fullmatch(value)), "")


def user_in(scope: Mapping[str, Any]) -> str:
    """The name under which the caller has logged in; "" where nobody has to."""
    return str(scope.get(USER, ""))


def owner_of(request: object) -> str:
    """Whose a job is that this request sends: the user who logged in, else the browser; "" where nobody can tell.

    Args:
        request: one of Starlette, or one of Gradio, which holds such a one; None: nobody asks.
    """
    scope = getattr(getattr(request, "request", request), "scope", None)
    if not isinstance(scope, Mapping):
        return ""
    browser = browser_of(scope)
    return user_in(scope) or (f"{PAGE} {browser}" if browser else "")
