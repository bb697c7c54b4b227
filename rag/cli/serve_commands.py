"""Commands that serve: the pages, and the language model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.cli.commands import Home, Profile, Quotes, app, llm
from rag.cli.samples import ingest_samples, sample_home
from rag.cli.terminal import opened, say
from rag.errors import InputError


@app.command()
def ui(
    quotes: Quotes = False,
    home: Home = None,
    profile: Profile = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="The address to serve at.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=1, max=65535, help="The port (by default the first free from 7860)."
        ),
    ] = None,
    auth: Annotated[
        Path | None,
        typer.Option(
            "--auth", metavar="FILE", help="Ask for a name and a password; see `rag user`."
        ),
    ] = None,
    share: Annotated[
        bool, typer.Option("--share", help="Put the page on the internet by Gradio's relay.")
    ] = False,
    browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    samples: Annotated[
        bool, typer.Option("--demo", help="Show the sample library of rag demo.")
    ] = False,
) -> None:
    """Serve the chat, the library and the evaluation as pages in the browser."""
    from ui.server import Address, serve

    address = Address(host, port, auth, share, browser)
    with opened(
        sample_home(home, profile) if samples else home, profile, quotes=quotes
    ) as assistant:
        if samples:
            ingest_samples(assistant)
        serve(assistant, address, typer.echo)


@app.command()
def user(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    name: Annotated[str, typer.Argument(metavar="NAME")],
) -> None:
    """Set a user's password in a password file for `rag ui --auth FILE` (htpasswd's bcrypt format)."""
    from ui.users import keep_user

    keep_user(file, name, typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    typer.echo(f"{name} can log in with {file}")


@llm.callback()
def _llm() -> None:
    """Keeps `serve` a command of its own, though there is no other yet."""


@llm.command()
def serve(
    flags: Annotated[
        list[str] | None, typer.Argument(metavar="-- FLAG...", help="More flags for vllm serve.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Don't look at the GPUs first.")] = False,
    log: Annotated[
        Path | None, typer.Option("--log", metavar="FILE", help="Where the server's log goes.")
    ] = None,
    profile: Profile = None,
) -> None:
    """Start the profile's language model and keep it until Ctrl-C: vLLM (as with --profile gpu), or llama.cpp."""
    import shlex

    import platformdirs

    from rag.config import APP, load_config
    from rag.llm import serving
    from rag.llm.local import serve as serve_local
    from rag.llm.local_models import settled

    config = settled(load_config(profile)).llm
    logs = platformdirs.user_log_path(APP)
    if config.engine == "llama.cpp":
        if flags:
            raise InputError(
                f"flags are for vLLM, and llm.engine is {config.engine}; leave them out"
            )
        serve_local(config, log or logs / "llama.cpp.log", say)
        return
    line = serving.command_line(config, flags or ())
    typer.echo(shlex.join(line))
    if not force:
        serving.check_cards(config, serving.cards())
    serving.serve(line, config, log or logs / "vllm.log", say)
