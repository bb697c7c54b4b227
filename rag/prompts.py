"""Prompt templates in prompts/*.md with placeholders such as `{question}`."""

from __future__ import annotations

import hashlib
import string
from functools import cache

from rag.errors import ConfigError
from rag.resources import shipped


@cache
def _template(name: str) -> str:
    path = shipped("prompts", f"{name}.md")
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        raise ConfigError(f"there is no prompt {name!r} in {path.parent}") from None


def fill(name: str, **values: object) -> str:
    """Return the prompt `name` with its placeholders filled.

    Raises ConfigError if a variable is missing or unused; the message names all of them.
    """
    template = _template(name)
    fields = string.Formatter().parse(template)
    wanted = {field for _, field, _, _ in fields if field is not None}
    if wanted != values.keys():
        missing, unused = sorted(wanted - values.keys()), sorted(values.keys() - wanted)
        raise ConfigError(
            f"prompt {name!r}: missing variables {missing}, unused variables {unused}"
        )
    return template.format(**values)


def wordings() -> dict[str, str]:
    """Return the text of every prompt by its name."""
    return {path.stem: _template(path.stem) for path in sorted(shipped("prompts").glob("*.md"))}


def fingerprint(*names: str) -> str:
    """Return 12 hex digits that identify the wording of these prompts."""
    return hashlib.sha256("\0".join(_template(name) for name in names).encode()).hexdigest()[:12]
