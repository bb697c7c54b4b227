"""Texts as HTML: they show what they are and do nothing else."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.texts import Highlight, highlighted, isolated, shown

_SAFE = {
    "bdi",
    "mark",
    "math",
    "mrow",
    "mi",
    "mo",
    "mn",
    "msup",
    "msub",
    "msubsup",
    "mfrac",
    "msqrt",
    "mtext",
    "mspace",
}


class Page(HTMLParser):
    """What a browser would see: elements, their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.marked: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag == "mark":
            self.marked.append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.marked:
            self.marked[-1] += data


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</bdi><script>alert(1)</script>",
    "![x](https://example.org/x.png) [link](javascript:alert(1))",
    r"$\href{javascript:alert(1)}{x}$",
    r"$\text{<img src=x onerror=alert(1)/>}$",
    r"\(\text{</math><svg onload=alert(1)>}\)",
    '" onmouseover="alert(1)',
    "\u202egnp.exe\u202c",
    "{{7*7}} ${alert(1)} @children",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_only_shown(text: str) -> None:
    page = Page(str(isolated(text)))
    assert set(page.elements) <= _SAFE
    assert not [
        name
        for name in page.attributes
        if name.startswith("on") or name in {"href", "src", "style"}
    ]


@given(st.text())
def test_any_text_reads_as_it_is(text: str) -> None:
    if "$" not in text and "\\" not in text and "\r" not in text and "\0" not in text:
        assert Page(str(shown(text))).text == text


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        (r"a rate of $\mathcal{O}(n^2)$ and $x_i$", 2),
        (r"we show \(a+b\) and \[c = d\]", 2),
        ("costs $5 and $10 a month", 0),
        ("from US$5-$10", 0),
        (r"$\frac{a$ is no formula", 0),
        (r"broken $\unknowncommand{x}$", 0),
        (r"escaped \$5$ or $", 0),
    ],
)
def test_formulas_are_set_and_money_is_not(text: str, formulas: int) -> None:
    page = Page(str(shown(text)))
    assert page.elements.count("math") == formulas
    if not formulas:
        assert page.text == text


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"T\"ULU 3", "TÜLU 3"),
        (r"Erd\H{o}s and Poincar\'{e}", r"Erd\H{o}s and Poincaré"),
        (r"\d+\.b", r"\d+\.b"),
        (r"\"", r"\""),
    ],
)
def test_accents_of_latex_are_letters(written: str, read: str) -> None:
    assert Page(str(shown(written))).text == read


@given(st.text(alphabet="ab <&.", min_size=1, max_size=60), st.data())
def test_highlights_keep_the_text(text: str, data: st.DataObject) -> None:
    place = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(sorted)
    spans = data.draw(st.lists(place, max_size=5))
    given_highlights = [
        Highlight(first, last, (n,)) for n, (first, last) in enumerate(spans, start=1)
    ]
    page = Page(str(highlighted(text, 0, len(text), given_highlights)))
    assert page.text == text


def test_a_highlight_is_the_very_sentence() -> None:
    text = "Title\n\nFirst one. Second <one>. Third one."
    start = text.index("Second")
    html = str(highlighted(text, 7, len(text), [Highlight(start, start + 12, (1, 3))]))
    assert 'data-marks="1 3"' in html
    assert ">Second &lt;one&gt;</mark>" in html
    assert "Title" not in html


def test_overlapping_highlights_share_their_marks() -> None:
    html = str(highlighted("one two three", 0, 13, [Highlight(0, 7, (1,)), Highlight(4, 13, (2,))]))
    assert html.count("<mark") == 1
    assert 'data-marks="1 2"' in html
