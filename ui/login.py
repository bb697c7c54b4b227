"""Login and logout, with a limit of wrong passwords per minute.

Gradio stores the sessions and protects its events. Its own login page is replaced because it can't
show the message that the user has to wait.
"""

from __future__ import annotations

import logging
import secrets
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rag.errors import InputError
from ui.drawing import draw
from ui.service import RateLimiter
from ui.users import Users

_LOG = logging.getLogger(__name__)
_WRONG_A_MINUTE = 5
_LONGEST = 4096  # bytes of a form
_WRONG = "The name or the password is wrong."


class LoginMiddleware:
    """ASGI middleware around Gradio's application.

    It answers `/login` and `/logout`, and shows the login page in place of the page until the
    user has logged in.
    """

    def __init__(self, app: ASGIApp, users: Users) -> None:
        self._app, self._users = app, users
        self._addresses = RateLimiter(_WRONG_A_MINUTE, "wrong passwords")
        self._names = RateLimiter(_WRONG_A_MINUTE, "wrong passwords")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on to the application."""
        answer = await self._answer(Request(scope, receive)) if scope["type"] == "http" else None
        await (answer or self._app)(scope, receive, send)

    async def _answer(self, request: Request) -> Response | None:
        path = request.scope["path"].rstrip("/")
        if path == "/logout":
            return _end_session(request)
        if path == "/login" and request.method == "POST":
            return await self._log_in(request)
        if path in ("", "/login") and _token(request) not in request.app.tokens:
            return _page()
        return RedirectResponse("./", 303) if path == "/login" else None

    async def _log_in(self, request: Request) -> Response:
        name = ""
        try:
            form = await _form(request)
            name, password = form.get("username", "").strip(), form.get("password", "")
            # bcrypt takes a fraction of a second of CPU time: run it outside the event loop.
            valid = await run_in_threadpool(self._verify, name, password, _address(request))
        except InputError as error:
            return _page(str(error), name, 429)
        return _start_session(request, name) if valid else _page(_WRONG, name, 401)

    def _verify(self, name: str, password: str, address: str) -> bool:
        """Check a password. Raises InputError if the name or the address has to wait."""
        # Count before checking, so that parallel requests can't exceed the limit.
        self._addresses.take(address)
        self._names.take(name)
        if not self._users.verify(name, password):
            _LOG.warning("a wrong password for %r from %s", name, address)
            return False
        self._addresses.give_back(address)
        self._names.give_back(name)
        return True


async def _form(request: Request) -> dict[str, str]:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST:
            raise InputError("the name or the password is too long")
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _start_session(request: Request, name: str) -> Response:
    token = secrets.token_urlsafe(24)
    request.app.tokens[token] = name
    response = RedirectResponse("./", 303)
    secure = request.url.scheme == "https"
    response.set_cookie(_cookie(request), token, httponly=True, samesite="lax", secure=secure)
    return response


def _end_session(request: Request) -> Response:
    request.app.tokens.pop(_token(request), None)
    response = RedirectResponse("./", 303)
    response.delete_cookie(_cookie(request))
    return response


def _page(problem: str = "", name: str = "", status: int = 200) -> Response:
    values: dict[str, Any] = {"problem": problem, "name": name, "css": _css()}
    return HTMLResponse(draw("login", values), status, {"cache-control": "no-store"})


@cache
def _css() -> Markup:
    return Markup((Path(__file__).parent / "static" / "page.css").read_text(encoding="utf-8"))


def _cookie(request: Request) -> str:
    """Return the name of the cookie in which Gradio expects the session's token."""
    return f"access-token-unsecure-{request.app.cookie_id}"


def _token(request: Request) -> str:
    return request.cookies.get(_cookie(request), "")


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
