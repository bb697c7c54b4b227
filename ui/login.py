"""The way in where names and passwords are asked for: a page of its own, few wrong passwords a minute, and the way out.

Gradio keeps who is logged in and lets nobody else near its events; its own login page can't say that one has to wait.
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
from ui.service import Pace
from ui.users import Users

_LOG = logging.getLogger(__name__)
_WRONG_A_MINUTE = 5
_LONGEST = 4096  # bytes of a form
_WRONG = "The name or the password is wrong."


class Door:
    """Middleware around Gradio's application: answers at `/login` and `/logout`, and for the page until one is in."""

    def __init__(self, app: ASGIApp, users: Users) -> None:
        self._app, self._users = app, users
        self._addresses = Pace(_WRONG_A_MINUTE, "wrong passwords")
        self._names = Pace(_WRONG_A_MINUTE, "wrong passwords")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is not for the door."""
        answer = await self._answer(Request(scope, receive)) if scope["type"] == "http" else None
        await (answer or self._app)(scope, receive, send)

    async def _answer(self, request: Request) -> Response | None:
        place = request.scope["path"].rstrip("/")
        if place == "/logout":
            return _out(request)
        if place == "/login" and request.method == "POST":
            return await self._enter(request)
        if place in ("", "/login") and _token(request) not in request.app.tokens:
            return _page()
        return RedirectResponse("./", 303) if place == "/login" else None

    async def _enter(self, request: Request) -> Response:
        name = ""
        try:
            form = await _form(request)
            name, password = form.get("username", "").strip(), form.get("password", "")
            admitted = await run_in_threadpool(self._admits, name, password, _address(request))
        except InputError as error:
            return _page(str(error), name, 429)
        return _in(request, name) if admitted else _page(_WRONG, name, 401)

    def _admits(self, name: str, password: str, address: str) -> bool:
        """Whether this is the name's password. Raises InputError where the name or the address has to wait."""
        # Counted before it is looked at, so that many at once are not more than the few.
        self._addresses.take(address)
        self._names.take(name)
        if not self._users.admits(name, password):
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


def _in(request: Request, name: str) -> Response:
    token = secrets.token_urlsafe(24)
    request.app.tokens[token] = name
    response = RedirectResponse("./", 303)
    secure = request.url.scheme == "https"
    response.set_cookie(_cookie(request), token, httponly=True, samesite="lax", secure=secure)
    return response


def _out(request: Request) -> Response:
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
    """The cookie in which Gradio looks for who it is."""
    return f"access-token-unsecure-{request.app.cookie_id}"


def _token(request: Request) -> str:
    return request.cookies.get(_cookie(request), "")


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
