"""Texts of papers, questions and models become HTML: escaped, isolated, with formulas as MathML and evidence marked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from unicodedata import normalize
from xml.etree import ElementTree

from markupsafe import Markup, escape

# A dollar that opens a formula touches what follows and one that closes it what precedes; "$5 and $10" is money.
_FORMULA = re.compile(
    r"\$\$(?P<block>[^$]{1,2000}?)\$\$"
    r"|(?<![\w\\$])\$(?![\s$])(?P<inline>[^$\n]{1,500}?)(?<![\s\\])\$(?![\w$])"
    r"|\\\((?P<round>.{1,500}?)\\\)"
    r"|\\\[(?P<square>.{1,2000}?)\\\]",
    re.DOTALL,
)
_BRACE = re.compile(r"\\[\\{}]")  # one that is printed, not one that groups
_ACCENT = re.compile(r"""\\(["'`^~])(?:\{([A-Za-z])\}|([A-Za-z]))""")
_COMBINING = {'"': "\u0308", "'": "\u0301", "`": "\u0300", "^": "\u0302", "~": "\u0303"}
_MATHML = "http://www.w3.org/1998/Math/MathML"
_ELEMENTS = frozenset(
    """
    math maction menclose mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace
    msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none semantics
    """.split()  # noqa: SIM905 (a list of words reads best as words)
)
_ATTRIBUTES = frozenset(
    """
    accent columnalign columnlines columnspacing display displaystyle fence form linethickness lspace mathsize
    mathvariant maxsize minsize movablelimits notation rowlines rowspacing rspace scriptlevel separator stretchy
    symmetric width height depth voffset
    """.split()  # noqa: SIM905 (a list of words reads best as words)
)


@dataclass(frozen=True, slots=True)
class Highlight:
    """A stretch `text[start:end]` that answers point to, and the marks that do."""

    start: int
    end: int
    marks: tuple[int, ...]


def shown(text: str) -> Markup:
    """A text as HTML that shows it and does nothing else; LaTeX between dollars or in escaped brackets is set."""
    pieces: list[Markup] = []
    done = 0
    for match in _FORMULA.finditer(text):
        pieces += [_plain(text[done : match.start()]), _formula(match)]
        done = match.end()
    return Markup("").join([*pieces, _plain(text[done:])])


def _plain(text: str) -> Markup:
    """Text between formulas, with LaTeX's accents on their letters."""
    return escape(
        _ACCENT.sub(lambda one: normalize("NFC", (one[2] or one[3]) + _COMBINING[one[1]]), text)
    )


def isolated(text: str) -> Markup:
    """A text whose direction marks end where it ends."""
    return Markup('<bdi dir="auto">{}</bdi>').format(shown(text))


def highlighted(text: str, start: int, end: int, highlights: Iterable[Highlight]) -> Markup:
    """The stretch `text[start:end]` as HTML with its highlights as `<mark>`; overlapping ones are joined."""
    pieces: list[Markup] = []
    done = start
    for one in _joined(highlights):
        first, last = max(one.start, done), min(one.end, end)
        if first >= last:
            continue
        pieces += [shown(text[done:first]), _mark(text[first:last], one.marks)]
        done = last
    return Markup('<bdi dir="auto">{}</bdi>').format(
        Markup("").join([*pieces, shown(text[done:end])])
    )


def _mark(text: str, marks: Sequence[int]) -> Markup:
    numbers = " ".join(map(str, marks))
    label = f"cited as {', '.join(f'[{mark}]' for mark in marks)}: show the sentences that cite it"
    return Markup('<mark data-marks="{}" tabindex="0" role="button" title="{}">{}</mark>').format(
        numbers, label, shown(text)
    )


def _joined(highlights: Iterable[Highlight]) -> list[Highlight]:
    joined: list[Highlight] = []
    for one in sorted(highlights, key=lambda one: (one.start, one.end)):
        if joined and one.start < joined[-1].end:
            last = joined.pop()
            one = Highlight(
                last.start, max(last.end, one.end), tuple(dict.fromkeys(last.marks + one.marks))
            )
        joined.append(one)
    return joined


def _formula(match: re.Match[str]) -> Markup:
    latex = next(group for group in match.groups() if group is not None)
    block = match["block"] is not None or match["square"] is not None
    return _mathml(latex.strip(), block) or escape(match[0])


@lru_cache(maxsize=4096)
def _mathml(latex: str, block: bool) -> Markup | None:
    """LaTeX as MathML, or None where it can't be set. What the converter lets through is checked element by element."""
    from latex2mathml.converter import convert

    if _BRACE.sub("", latex).count("{") != _BRACE.sub("", latex).count("}"):
        return None
    try:
        tree = ElementTree.fromstring(convert(latex, display="block" if block else "inline"))
    except Exception:  # noqa: BLE001 (the converter raises many kinds for LaTeX that is none)
        return None
    if "\\" in "".join(tree.itertext()):
        return None
    for element in tree.iter():
        element.tag = element.tag.removeprefix(f"{{{_MATHML}}}")
        if element.tag not in _ELEMENTS:
            return None
        element.attrib = {
            name: value for name, value in element.attrib.items() if name in _ATTRIBUTES
        }
    return Markup(ElementTree.tostring(tree, encoding="unicode"))
