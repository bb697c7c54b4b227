"""Login and logout, with a limit of wrong passwords per minute.

Gradio asks `Sessions.user` for every request to a page or an event, and refuses those of nobody
(its `auth_dependency`). The login page is ours, because Gradio's can't say that the user has to
wait.
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


class Sessions:
    """Who is logged in, by the token in a cookie; sessions end with the server."""

    cookie = "papers-session"

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def user(self, request: Request) -> str | None:
        """Return the name of the user that sent a request, or None."""
        return self._names.get(request.cookies.get(self.cookie, ""))

    def start(self, name: str) -> str:
        """Start a session, and return its token."""
        token = secrets.token_urlsafe(24)
        self._names[token] = name
        return token

    def end(self, request: Request) -> None:
        """End the session of a request, if it has one."""
        self._names.pop(request.cookies.get(self.cookie, ""), None)


class LoginMiddleware:
    """ASGI middleware around Gradio's application.

    It answers `/login` and `/logout`, and shows the login page in place of the page until the
    user has logged in.
    """

    def __init__(self, app: ASGIApp, users: Users, sessions: Sessions) -> None:
        self._app, self._users, self._sessions = app, users, sessions
        self._addresses = RateLimiter(_WRONG_A_MINUTE, "wrong passwords")
        self._names = RateLimiter(_WRONG_A_MINUTE, "wrong passwords")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on to the application."""
        answer = await self._answer(Request(scope, receive)) if scope["type"] == "http" else None
        await (answer or self._app)(scope, receive, send)

    async def _answer(self, request: Request) -> Response | None:
        path = request.scope["path"].rstrip("/")
        if path == "/logout":
            return self._log_out(request)
        if path == "/login" and request.method == "POST":
            return await self._log_in(request)
        if path in ("", "/login") and self._sessions.user(request) is None:
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
        return self._welcome(request, name) if valid else _page(_WRONG, name, 401)

    def _welcome(self, request: Request, name: str) -> Response:
        response = RedirectResponse("./", 303)
        token, secure = self._sessions.start(name), request.url.scheme == "https"
        response.set_cookie(Sessions.cookie, token, httponly=True, samesite="lax", secure=secure)
        return response

    def _log_out(self, request: Request) -> Response:
        self._sessions.end(request)
        response = RedirectResponse("./", 303)
        response.delete_cookie(Sessions.cookie)
        return response

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


def _page(problem: str = "", name: str = "", status: int = 200) -> Response:
    values: dict[str, Any] = {"problem": problem, "name": name, "css": _css()}
    return HTMLResponse(draw("login", values), status, {"cache-control": "no-store"})


@cache
def _css() -> Markup:
    return Markup((Path(__file__).parent / "static" / "page.css").read_text(encoding="utf-8"))


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
