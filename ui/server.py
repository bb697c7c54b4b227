"""Serve the pages on this machine until the process is stopped: `rag ui`."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Gradio reads this variable when it is imported. No data may leave the machine.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio as gr
from starlette.middleware import Middleware

from rag.assistant import Assistant
from rag.conversations.journal import Journal
from rag.errors import InputError, RagError
from ui.app import build
from ui.login import LoginMiddleware, Sessions
from ui.service import QuestionQueue, RateLimiter, Service
from ui.users import Users

_LOG = logging.getLogger(__name__)
HERE = Path(__file__).parent
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_THREADS = 120  # a question that waits in the queue blocks a thread


@dataclass(frozen=True, slots=True)
class Address:
    """Where the pages are served, and to whom.

    `users` is a password file; with None, anyone who can reach the address can use the pages.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    users: Path | None = None
    share: bool = False
    browser: bool = False

    @property
    def local(self) -> bool:
        """Whether only users of this machine can reach the pages.

        False with a password file: a loopback address may then be behind a reverse proxy.
        """
        return self.host in _LOOPBACK and not self.share and self.users is None

    def checked(self) -> Address:
        """Check the address and return it.

        Raises InputError if it would publish the papers without a password, or if it can't be used.
        """
        if self.share and self.users is None:
            raise InputError(
                "--share puts the page on the internet; set a password file with --auth"
            )
        # Check here, because Gradio would try a hundred ports and log each of them.
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            socket.create_server((self.host, self.port or 0), family=family).close()
        except OSError as error:
            raise self.taken(error.strerror) from None
        return self

    def taken(self, why: str | None) -> InputError:
        """Return the error that says why the page can't be served at this address."""
        where = f"{self.host}:{self.port}" if self.port else self.host
        return InputError(
            f"the page can't be served at {where} ({why}); choose another with --host or --port"
        )


def serve(assistant: Assistant, address: Address, say: Callable[[str], None] = print) -> None:
    """Serve the pages until SIGINT or SIGTERM. Raises InputError if the address can't be used."""
    address = address.checked()
    users = Users.read(address.users) if address.users else None
    if users is None and not address.local:
        say(
            f"anyone who can reach {address.host} can ask questions and read the papers, but not "
            "change the library; require a login with --auth"
        )
    service = _service(assistant, editable=address.local or users is not None)
    blocks = build(service, local=address.local)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        url = _launch(blocks, address, users, assistant)
        say(f"the page is at {url} (Ctrl+C stops it)")
        threading.Thread(target=_warm, args=(service,), daemon=True).start()
        stop.wait()
    finally:
        blocks.close(verbose=False)
        service.assistant.close()


def _service(assistant: Assistant, *, editable: bool) -> Service:
    limits = assistant.config.ui
    try:
        # Load the models now, so that the first question does not wait for them.
        assistant.warm()
        assistant.search("what are these papers about")
    except RagError as error:
        _LOG.warning("%s", error)
    queue = QuestionQueue(limits.places)
    limiter = RateLimiter(limits.questions_per_minute)
    return Service(assistant, Journal(assistant.config.folder), queue, limiter, editable=editable)


def _warm(service: Service) -> None:
    """Compute the suggested questions, which takes time because each one is tried out first."""
    try:
        service.assistant.suggestions()
    except RagError as error:
        _LOG.warning("no questions can be suggested: %s", error)


def _launch(blocks: gr.Blocks, address: Address, users: Users | None, assistant: Assistant) -> str:
    sessions = Sessions()
    login = [Middleware(LoginMiddleware, users=users, sessions=sessions)] if users else []
    options: dict[str, Any] = {
        "server_name": address.host,
        "server_port": address.port,
        "share": address.share,
        "inbrowser": address.browser,
        "auth_dependency": sessions.user if users else None,
        "app_kwargs": {"middleware": login},
        "theme": _theme(),
        "css_paths": sorted((HERE / "static").glob("*.css")),
        "head": '<meta name="viewport" content="width=device-width, initial-scale=1">',
        "footer_links": [],
        "max_threads": _THREADS,
        "max_file_size": f"{assistant.config.ui.upload_megabytes}mb",
        "quiet": True,
        "show_error": True,
        "ssr_mode": False,
        "prevent_thread_lock": True,
    }
    try:
        _, url, shared = blocks.launch(**options)
    except OSError as error:
        raise address.taken(str(error)) from None
    return shared or url


def _theme() -> gr.themes.Base:
    # Gradio's own copies of the fonts; their semibold files lack letters.
    font = gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700))
    mono = gr.themes.LocalFont("IBM Plex Mono", weights=(400, 700))
    theme = gr.themes.Base(
        font=[font, "system-ui", "sans-serif"], font_mono=[mono, "ui-monospace", "monospace"]
    )
    # The variables of page.css, which have their own values for the dark theme.
    colours = {
        "body_background_fill": "var(--paper)",
        "body_text_color": "var(--ink)",
        "body_text_color_subdued": "var(--ink-soft)",
        "block_background_fill": "var(--paper)",
        "block_border_color": "var(--line)",
        "block_label_text_color": "var(--ink-soft)",
        "block_title_text_color": "var(--ink-soft)",
        "border_color_primary": "var(--line)",
        "button_primary_background_fill": "var(--accent)",
        "button_primary_background_fill_hover": "var(--accent)",
        "button_primary_border_color": "var(--accent)",
        "button_primary_border_color_hover": "var(--accent)",
        "button_primary_text_color": "var(--on-accent)",
        "input_background_fill": "var(--card)",
        "input_background_fill_focus": "var(--card)",
        "input_border_color": "var(--line)",
        "input_border_color_focus": "var(--accent)",
        "input_placeholder_color": "var(--ink-faint)",
    }
    both = colours | {f"{name}_dark": colour for name, colour in colours.items()}
    radii = dict.fromkeys(
        ("block_radius", "button_medium_radius", "container_radius", "input_radius"),
        "var(--radius)",
    )
    return theme.set(color_accent="var(--accent)", input_border_width="1px", **both, **radii)
