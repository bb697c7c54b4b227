"""`rag ui`: the pages, served on this machine until it is stopped."""

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

# Gradio reads this when it is imported; nothing may leave the machine.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio as gr
from starlette.middleware import Middleware

from rag.assistant import Assistant
from rag.conversations.journal import Journal
from rag.errors import InputError, RagError
from ui.app import build
from ui.login import Door
from ui.service import Line, Pace, Service
from ui.users import Users

_LOG = logging.getLogger(__name__)
HERE = Path(__file__).parent
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Answers that wait in line hold a thread each.
_THREADS = 120


@dataclass(frozen=True, slots=True)
class Address:
    """Where the pages are served, and to whom: `users` is a password file, None lets everybody in who reaches it."""

    host: str = "127.0.0.1"
    port: int | None = None
    users: Path | None = None
    share: bool = False
    browser: bool = False

    @property
    def local(self) -> bool:
        """Whether its readers are those at this machine; where they log in, it stands behind something else."""
        return self.host in _LOOPBACK and not self.share and self.users is None

    def checked(self) -> Address:
        """Itself. Raises InputError where it would open the papers to everybody, and where it can't be had."""
        if self.share and self.users is None:
            raise InputError(
                "--share puts the page on the internet: give it a password file with --auth"
            )
        # Gradio would try a hundred ports and log each of them.
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            socket.create_server((self.host, self.port or 0), family=family).close()
        except OSError as error:
            raise self.taken(error.strerror) from None
        return self

    def taken(self, why: str | None) -> InputError:
        """The error that says why the page can't be served there."""
        where = f"{self.host}:{self.port}" if self.port else self.host
        return InputError(
            f"the page can't be served at {where} ({why}); choose another with --host or --port"
        )


def serve(assistant: Assistant, address: Address, say: Callable[[str], None] = print) -> None:
    """Serve the pages until SIGINT or SIGTERM. Raises InputError for an address that can't be had."""
    address = address.checked()
    users = Users.read(address.users) if address.users else None
    if users is None and not address.local:
        say(
            f"everybody who reaches {address.host} can ask and read, but not change the library; see --auth"
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
        # The first question shall not wait for them.
        assistant.warm()
        assistant.search("what are these papers about")
    except RagError as error:
        _LOG.warning("%s", error)
    line, pace = Line(limits.places), Pace(limits.questions_per_minute)
    return Service(assistant, Journal(assistant.config.folder), line, pace, editable=editable)


def _warm(service: Service) -> None:
    """The questions of the first page, which are tried out before they are offered."""
    try:
        service.assistant.suggestions()
    except RagError as error:
        _LOG.warning("no questions can be suggested: %s", error)


def _launch(blocks: gr.Blocks, address: Address, users: Users | None, assistant: Assistant) -> str:
    options: dict[str, Any] = {
        "server_name": address.host,
        "server_port": address.port,
        "share": address.share,
        "inbrowser": address.browser,
        "auth": users.admits if users else None,
        "app_kwargs": {"middleware": [Middleware(Door, users=users)] if users else []},
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
    # The variables of page.css, which know light and dark themselves.
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
