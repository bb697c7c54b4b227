"""Convert texts of papers, questions and models to safe HTML.

Texts are escaped and isolated in direction; formulas become MathML, and evidence is highlighted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from unicodedata import normalize
from xml.etree import ElementTree

from markupsafe import Markup, escape

# LaTeX formulas: $$...$$, $...$, \(...\) and \[...\]. In $...$ there is no space inside the dollar
# signs and no letter or digit directly outside, so that "$5 and $10" is money, not a formula.
_FORMULA = re.compile(
    r"\$\$(?P<block>[^$]{1,2000}?)\$\$"
    r"|(?<![\w\\$])\$(?![\s$])(?P<inline>[^$\n]{1,500}?)(?<![\s\\])\$(?![\w$])"
    r"|\\\((?P<round>.{1,500}?)\\\)"
    r"|\\\[(?P<square>.{1,2000}?)\\\]",
    re.DOTALL,
)
_BRACE = re.compile(r"\\[\\{}]")  # a printed brace or backslash, as opposed to a grouping brace
# A LaTeX accent with its letter: \"u, \'{e}.
_ACCENT = re.compile(r"""\\(["'`^~])(?:\{([A-Za-z])\}|([A-Za-z]))""")
_COMBINING = {'"': "\u0308", "'": "\u0301", "`": "\u0300", "^": "\u0302", "~": "\u0303"}
_MATHML = "http://www.w3.org/1998/Math/MathML"
# The allowed elements and attributes: none of them can run a script or load a file.
_ELEMENTS = frozenset(
    """
    math maction menclose mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow
    ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none semantics
    """.split()  # noqa: SIM905 (a list of words reads best as words)
)
_ATTRIBUTES = frozenset(
    """
    accent columnalign columnlines columnspacing display displaystyle fence form linethickness
    lspace mathsize mathvariant maxsize minsize movablelimits notation rowlines rowspacing rspace
    scriptlevel separator stretchy symmetric width height depth voffset
    """.split()  # noqa: SIM905 (a list of words reads best as words)
)


@dataclass(frozen=True, slots=True)
class Highlight:
    """A cited span `text[start:end]`, and the citation numbers of the sentences that cite it."""

    start: int
    end: int
    marks: tuple[int, ...]


def shown(text: str) -> Markup:
    """Return a text as HTML: escaped, with its LaTeX formulas as MathML.

    Formulas are enclosed in dollar signs or escaped brackets. What can't be converted is shown as
    it is written.
    """
    pieces: list[Markup] = []
    done = 0  # text before this offset is in `pieces`
    for match in _FORMULA.finditer(text):
        pieces += [_plain(text[done : match.start()]), _formula(match)]
        done = match.end()
    return Markup("").join([*pieces, _plain(text[done:])])


def _plain(text: str) -> Markup:
    """Return text between formulas as HTML, with LaTeX's accents as Unicode letters."""
    return escape(
        _ACCENT.sub(
            lambda match: normalize("NFC", (match[2] or match[3]) + _COMBINING[match[1]]), text
        )
    )


def isolated(text: str) -> Markup:
    """Return a text as HTML whose Unicode direction marks do not affect the text around it."""
    return Markup('<bdi dir="auto">{}</bdi>').format(shown(text))


def highlighted(text: str, start: int, end: int, highlights: Iterable[Highlight]) -> Markup:
    """Return `text[start:end]` as HTML with its highlights as `<mark>`; join overlapping ones."""
    pieces: list[Markup] = []
    done = start
    for highlight in _joined(highlights):
        # Clip the highlight to the requested part of the text.
        first, last = max(highlight.start, done), min(highlight.end, end)
        if first >= last:
            continue
        pieces += [shown(text[done:first]), _mark(text[first:last], highlight.marks)]
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
    for highlight in sorted(highlights, key=lambda highlight: (highlight.start, highlight.end)):
        if joined and highlight.start < joined[-1].end:
            last = joined.pop()
            marks = tuple(dict.fromkeys(last.marks + highlight.marks))
            highlight = Highlight(last.start, max(last.end, highlight.end), marks)
        joined.append(highlight)
    return joined


def _formula(match: re.Match[str]) -> Markup:
    latex = next(group for group in match.groups() if group is not None)
    block = match["block"] is not None or match["square"] is not None
    return _mathml(latex.strip(), block) or escape(match[0])


@lru_cache(maxsize=4096)
def _mathml(latex: str, block: bool) -> Markup | None:
    """Convert LaTeX to MathML; return None if that fails.

    The converter passes some HTML through, so that each element is checked against a list, and
    attributes that are not in the list are removed.
    """
    from latex2mathml.converter import convert

    # With unbalanced braces the converter returns a wrong formula instead of an error.
    if _BRACE.sub("", latex).count("{") != _BRACE.sub("", latex).count("}"):
        return None
    try:
        tree = ElementTree.fromstring(convert(latex, display="block" if block else "inline"))
    except Exception:  # noqa: BLE001 (the converter raises many types for invalid LaTeX)
        return None
    # A backslash in the result is a command that the converter does not know.
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
