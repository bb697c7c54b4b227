"""Fill the templates of ui/templates; the only module that imports jinja2.

Every value is escaped, except the `Markup` that ui.texts makes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from rag.records import Paper
from ui.paper_list import author_count
from ui.texts import isolated, shown

_HERE = Path(__file__).parent
_FIRST_LINES = 360  # characters


def draw(template: str, values: Mapping[str, Any]) -> str:
    """Fill `ui/templates/<template>.html.j2` and return the HTML; a missing value is an error."""
    return _environment().get_template(f"{template}.html.j2").render(values)


def script(*names: str) -> str:
    """Return the contents of `ui/static/<name>.js`, concatenated, for `js_on_load`."""
    return "\n".join(
        (_HERE / "static" / f"{name}.js").read_text(encoding="utf-8") for name in names
    )


def problem(text: str) -> str:
    """Return an error message as HTML, announced by screen readers."""
    return draw("problem", {"text": text})


def first_lines(text: str) -> str:
    """Return the beginning of a text for a card, cut between words, never inside a formula."""
    if len(text) <= _FIRST_LINES:
        return text
    cut = text[:_FIRST_LINES].rsplit(" ", 1)[0]
    # An odd number of dollar signs: the last formula is not closed.
    if cut.count("$") % 2:
        cut = cut[: cut.rindex("$")]
    return cut.rstrip(" ,;:") + " …"


def printed_date(paper: Paper) -> str:
    """Return the date as printed, with the year if it was inferred; "" if no date is known."""
    printed, date = paper.printed_date, paper.published
    if printed and date and date.inferred:
        return f"{printed} (year inferred: {date.year})"
    return printed or (str(date) if date else "")


def authors(paper: Paper) -> str:
    """Return the number of authors in words; "" if it is not known."""
    count = author_count(paper)
    return "" if count is None else counted(count, "author")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 paper", "2 papers"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    filters = [shown, isolated, first_lines, printed_date, authors, counted]
    environment.filters |= {function.__name__: function for function in filters}
    return environment
