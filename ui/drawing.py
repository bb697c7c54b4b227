"""Templates of ui/templates become HTML; every value is escaped unless ui.texts made it. The door to jinja2."""

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
_FIRST_LINES = 360


def draw(template: str, values: Mapping[str, Any]) -> str:
    """Fill `ui/templates/<template>.html.j2`; a value that is missing is an error."""
    return _environment().get_template(f"{template}.html.j2").render(values)


def script(*names: str) -> str:
    """The texts of `ui/static/<name>.js`, one after the other, for `js_on_load`."""
    return "\n".join(
        (_HERE / "static" / f"{name}.js").read_text(encoding="utf-8") for name in names
    )


def problem(text: str) -> str:
    """An error in words, announced to screen readers."""
    return draw("problem", {"text": text})


def first_lines(text: str) -> str:
    """The beginning of a text for a card, cut between words and never inside a formula."""
    if len(text) <= _FIRST_LINES:
        return text
    cut = text[:_FIRST_LINES].rsplit(" ", 1)[0]
    if cut.count("$") % 2:
        cut = cut[: cut.rindex("$")]
    return cut.rstrip(" ,;:") + " …"


def printed_date(paper: Paper) -> str:
    """The date as printed, with the year where that was inferred; "" where none is known."""
    printed, date = paper.printed_date, paper.published
    if printed and date and date.inferred:
        return f"{printed} (year inferred: {date.year})"
    return printed or (str(date) if date else "")


def authors(paper: Paper) -> str:
    """How many authors, in words; "" where that is not known."""
    count = author_count(paper)
    return "" if count is None else counted(count, "author")


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 paper", "2 papers"."""
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
    environment.filters |= {one.__name__: one for one in filters}
    return environment
