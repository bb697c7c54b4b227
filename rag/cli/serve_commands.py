"""Commands that serve the web page and the language model."""

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
        str, typer.Option("--host", metavar="ADDRESS", help="The address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=1, max=65535, help="The port (default: the first free port from 7860 on)."
        ),
    ] = None,
    auth: Annotated[
        Path | None,
        typer.Option(
            "--auth",
            metavar="FILE",
            help="Require a name and a password from this file; see `rag user`.",
        ),
    ] = None,
    share: Annotated[
        bool,
        typer.Option("--share", help="Publish the page on the internet through Gradio's relay."),
    ] = False,
    browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    samples: Annotated[
        bool, typer.Option("--demo", help="Serve the sample library of rag demo.")
    ] = False,
) -> None:
    """Serve the chat, the library and the evaluation as web pages."""
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
    """Set a user's password in a file for `rag ui --auth FILE` (htpasswd's bcrypt format)."""
    from ui.users import keep_user

    keep_user(file, name, typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    typer.echo(f"{name} can log in with {file}")


@llm.callback()
def _llm() -> None:
    """Serve the language model."""  # a callback makes Typer keep a single command as a subcommand


@llm.command()
def serve(
    flags: Annotated[
        list[str] | None, typer.Argument(metavar="-- FLAG...", help="Extra flags for vllm serve.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Do not check the GPUs' free memory first.")
    ] = False,
    log: Annotated[
        Path | None, typer.Option("--log", metavar="FILE", help="The server's log file.")
    ] = None,
    profile: Profile = None,
) -> None:
    """Serve the profile's language model until Ctrl-C: with vLLM (--profile gpu) or llama.cpp."""
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
                f"extra flags are for vLLM, but llm.engine is {config.engine}; remove the flags"
            )
        serve_local(config, log or logs / "llama.cpp.log", say)
        return
    command = serving.command_line(config, flags or ())
    typer.echo(shlex.join(command))
    if not force:
        serving.check_cards(config, serving.cards())
    serving.serve(command, config, log or logs / "vllm.log", say)
