"""Every form as grammar and JSON schema: valid JSON becomes the text of the grammar."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.llm import (
    MOST_WORDS,
    Form,
    answer_form,
    choice_form,
    line_form,
    list_form,
    query_form,
    questions_form,
    verdict_form,
)
from rag.llm.filters import FromJson, Thinking, rest, through

REFUSAL = "Not found."
FORMS = {
    "answer": answer_form(5, REFUSAL),
    "answer without a refusal": answer_form(60, "", 3),
    "list": list_form(5),
    "verdict": verdict_form(),
    "line": line_form(400),
    "questions": questions_form(3),
    "query": query_form(["newest", "most authors"], ["published", "authors"]),
    "choice": choice_form(["yes", "no", "not given"]),
}

# -- The grammar as a regular expression, which all the forms allow -----------------------

_TOKEN = re.compile(
    r'(?P<text>"(?:\\.|[^"\\])*")|(?P<chars>\[(?:\\.|[^\]\\])*\])|(?P<name>[a-z][a-z0-9]*)|(?P<sign>.)',
    re.S,
)


@cache
def pattern(grammar: str) -> re.Pattern[str]:
    """The texts that a grammar allows. Raises KeyError for a rule that is not there."""
    rules = dict(line.split(" ::= ", 1) for line in grammar.splitlines())
    return re.compile(expanded("root", rules))


def expanded(name: str, rules: dict[str, str]) -> str:
    parts = []
    # A count such as {1,3} and the signs ( ) | * ? mean the same in both.
    for piece in re.split(r"(\{\d+,\d+\})", rules[name]):
        if piece.startswith("{") and piece[1].isdigit():
            parts.append(piece)
            continue
        for token in _TOKEN.finditer(piece):
            if token["text"]:
                parts.append(f"(?:{re.escape(json.loads(token['text']))})")
            elif token["name"]:
                parts.append(expanded(token["name"], rules))
            else:
                parts.append((token["chars"] or token["sign"]).strip())
    return f"(?:{''.join(parts)})"


# -- JSON becomes the text of the grammar ----------------------------------------------------------


def sentences(end: str = ".!?") -> st.SearchStrategy[str]:
    """Sentences as the grammar of an answer allows them."""
    word = st.from_regex(r"[A-Za-z0-9<\"-]{1,8}|4\.25|al\.", fullmatch=True)
    first = st.from_regex(r"[A-Z][a-z\"]{0,6}", fullmatch=True)
    words = st.lists(word, min_size=2, max_size=MOST_WORDS - 1)
    return st.builds(
        lambda first, others, stop: " ".join([first, *others]) + stop,
        first,
        words,
        st.sampled_from(end),
    )


def cut(text: str) -> st.SearchStrategy[list[str]]:
    """The text in chunks."""
    places = st.lists(st.integers(0, len(text)), max_size=8).map(sorted)
    return places.map(lambda cuts: [text[a:b] for a, b in pairwise([0, *cuts, len(text)])])


def chunked(value: object) -> st.SearchStrategy[list[str]]:
    return st.sampled_from([None, 2]).flatmap(lambda indent: cut(json.dumps(value, indent=indent)))


def read(form: Form, chunks: Sequence[str]) -> str:
    filters = [FromJson(form)]
    return "".join(
        [*(piece for chunk in chunks for piece in through(filters, iter([chunk]))), *rest(filters)]
    )


def rows_of(written: Sequence[tuple[str, list[int]]]) -> dict[str, object]:
    return {"sentences": [{"text": text, "marks": marks} for text, marks in written]}


def marked(text: str, marks: Sequence[int]) -> str:
    return f"{text} {''.join(f'[{number}]' for number in dict.fromkeys(marks))}"


ROW = st.tuples(sentences(), st.lists(st.integers(1, 5), min_size=1, max_size=3))
ROWS = st.lists(ROW, min_size=1, max_size=12)


@given(
    st.lists(ROW, min_size=2, max_size=12).flatmap(
        lambda rows: st.tuples(st.just(rows), chunked(rows_of(rows)))
    )
)
def test_an_answer_in_json_reads_as_the_grammar_would_have_written_it(case) -> None:
    rows, chunks = case
    said = read(FORMS["answer"], chunks)
    assert said == " ".join(marked(*row) for row in rows)
    assert pattern(FORMS["answer"].grammar).fullmatch(said)


@given(chunked({"sentences": []}))
def test_an_answer_without_sentences_is_the_refusal(chunks) -> None:
    assert read(FORMS["answer"], chunks) == REFUSAL
    assert pattern(FORMS["answer"].grammar).fullmatch(REFUSAL)
    assert not pattern(FORMS["answer without a refusal"].grammar).fullmatch(REFUSAL)


@pytest.mark.parametrize(
    ("name", "key", "texts", "wanted"),
    [
        (
            "list",
            "lines",
            st.lists(sentences(), min_size=5, max_size=5),
            lambda n, text: f"- {text} [{n}]",
        ),
        (
            "questions",
            "questions",
            st.lists(sentences("?"), min_size=3, max_size=3),
            lambda n, text: text,
        ),
    ],
)
@given(data=st.data())
def test_lines_in_json_read_as_the_grammar_would_have_written_them(
    name, key, texts, wanted, data
) -> None:
    form, lines = FORMS[name], [text[:150].rstrip("?") + text[-1] for text in data.draw(texts)]
    said = read(form, data.draw(chunked({key: lines})))
    assert said == "\n".join(wanted(number, text) for number, text in enumerate(lines, start=1))
    if name == "questions":
        assert pattern(form.grammar).fullmatch(said)


@given(
    st.sampled_from(["yes", "no", "not given"]).flatmap(
        lambda choice: st.tuples(st.just(choice), chunked({"choice": choice}))
    )
)
def test_a_choice_in_json_reads_as_the_word(case) -> None:
    said, chunks = case
    assert read(FORMS["choice"], chunks) == said
    assert pattern(FORMS["choice"].grammar).fullmatch(said)


@pytest.mark.parametrize("name", ["verdict", "query"])
def test_json_that_is_the_text_itself_needs_no_reading(name) -> None:
    assert FORMS[name].parts is None


@given(
    ROWS.flatmap(
        lambda rows: st.tuples(st.just(rows), st.integers(0, len(json.dumps(rows_of(rows)))))
    )
)
def test_json_that_is_cut_anywhere_gives_complete_sentences_only(case) -> None:
    rows, end = case
    written = json.dumps(rows_of(rows))
    said = read(FORMS["answer"], [written[:end]])
    whole = [marked(*row) for row in rows]
    given_up = [" ".join(whole[:number]) for number in range(len(whole) + 1)]
    assert said in given_up
    # No more than the last sentence that has come is held back.
    come = sum(
        json.dumps(rows_of(rows[:number]))[:-2] in written[:end]
        for number in range(1, len(rows) + 1)
    )
    assert given_up.index(said) >= come - 1


@given(
    st.text()
    .filter(lambda text: not text.lstrip().startswith("{"))
    .flatmap(lambda text: st.tuples(st.just(text), cut(text)))
)
def test_text_that_is_no_json_passes_as_it_is(case) -> None:
    text, chunks = case
    assert read(FORMS["answer"], chunks) == text


def test_a_sentence_is_out_before_the_json_has_ended() -> None:
    written = FromJson(FORMS["answer"])
    assert list(written.feed('{"sentences": [{"text": "One is here.", "marks": [1]}, {"te')) == [
        "One is here. [1]"
    ]
    lines = FromJson(FORMS["list"])
    assert list(lines.feed('{"lines": ["One is here.", "Tw')) == ["- One is here. [1]"]


# -- Thinking --------------------------------------------------------------------------------------

PLAIN = st.text("<think>/ a\n", max_size=12)


def thought(chunks: Sequence[str]) -> str:
    filters = [Thinking()]
    return "".join(
        [*(piece for chunk in chunks for piece in through(filters, iter([chunk]))), *rest(filters)]
    )


@given(
    PLAIN.filter(lambda text: "</think>" not in text),
    PLAIN,
    st.sampled_from(["", "\n", " \n\n"]),
    st.data(),
)
def test_thinking_is_no_part_of_the_text_for_any_chunks(thinking, answer, space, data) -> None:
    chunks = data.draw(cut(f"{space}<think>{thinking}</think>{space}{answer}"))
    assert thought(chunks) == answer.lstrip()


@given(
    PLAIN.filter(lambda text: not text.lstrip().startswith("<think>")).flatmap(
        lambda text: st.tuples(st.just(text), cut(text))
    )
)
def test_text_that_only_begins_like_a_tag_is_kept(case) -> None:
    text, chunks = case
    assert thought(chunks) == text


def test_thinking_that_does_not_end_is_no_text() -> None:
    assert thought(["<thi", "nk>On and ", "on"]) == ""


# -- The grammars ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMS)
def test_every_rule_is_defined_and_used(name) -> None:
    """Rule names have no underscores, which llama.cpp would not read."""
    lines = FORMS[name].grammar.splitlines()
    rules = dict(line.split(" ::= ", 1) for line in lines)
    assert len(rules) == len(lines)
    bodies = re.sub(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]', " ", " ".join(rules.values()))
    assert set(re.findall(r"[\w-]*[a-z][\w-]*", bodies)) | {"root"} == set(rules)
    assert not any("_" in rule for rule in rules)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("GLOW helps here. [1] It is fast. [2]", True),
        ("GLOW helps here. [1]", True),
        ("It gains 4.2 points (Li et al. 2024). [1][2][3] It is fast. [2]", True),
        ("mT5 is better here. [5] And so on it goes. [1]", True),
        (REFUSAL, True),
        ("GLOW helps here. It is fast.", False),
        ("GLOW helps here. [1] It is fast.", False),
        ("GLOW helps here. [6] It is fast. [2]", False),
        ("GLOW helps. It does. [1] It is fast. [2]", False),
        ("and so on it goes. [1] It is fast. [2]", False),
        ("GLOW helps here. [1][2][3][4] It is fast. [2]", False),
        (f"One {'word ' * (MOST_WORDS - 2)}last. [1] It is fast. [2]", True),
        (f"One {'word ' * (MOST_WORDS - 1)}last. [1] It is fast. [2]", False),
        (" ".join(["It is fast. [2]"] * 12), True),
        (" ".join(["It is fast. [2]"] * 13), False),
        ("密度比很有用。 [1] 它很快。 [2]", True),
    ],
)
def test_the_sentences_that_an_answer_may_have(text, allowed) -> None:
    assert bool(pattern(FORMS["answer"].grammar).fullmatch(text)) == allowed


def test_an_answer_stops_after_one_sentence_only_by_saying_so() -> None:
    form = answer_form(5, "", 3, end=REFUSAL)
    allowed = pattern(form.grammar)
    assert allowed.fullmatch(f"GLOW helps here. [1] {REFUSAL}")
    assert allowed.fullmatch("GLOW helps here. [1] It is fast. [2] It is cheap. [2]")
    assert not allowed.fullmatch("GLOW helps here. [1]")
    assert not allowed.fullmatch(REFUSAL)
    assert not allowed.fullmatch(f"GLOW helps here. [1] It is fast. [2] {REFUSAL}")


def test_where_one_sentence_is_the_most_it_is_enough() -> None:
    form = answer_form(5, REFUSAL, 1, end=REFUSAL)
    assert pattern(form.grammar).fullmatch("GLOW helps here. [1]")
    assert not pattern(form.grammar).fullmatch("GLOW helps here. [1] It is fast. [2]")


@pytest.mark.parametrize(
    ("refusal", "sentences", "least"),
    # No sentence is the refusal; a schema that allows none allows one too.
    [(REFUSAL, 3, 0), ("", 3, 1), ("", 1, 1)],
)
def test_the_sentences_that_an_answer_in_json_has_at_least(refusal, sentences, least) -> None:
    rows = answer_form(5, refusal, sentences).schema["properties"]["sentences"]
    assert (rows["minItems"], rows["maxItems"]) == (least, sentences)


@pytest.mark.llamacpp
@pytest.mark.timeout(300)
def test_llama_cpp_compiles_every_grammar(llm_file: Path) -> None:
    """A grammar that it can't read is an error of the request, as the one made up here shows."""
    xllamacpp = pytest.importorskip("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_parallel = str(llm_file), 512, 1
    server = xllamacpp.Server(params)

    def reply(form: Form) -> dict[str, object]:
        asked = [{"role": "user", "content": "Go on."}]
        return dict(
            server.handle_chat_completions(
                {"messages": asked, "max_tokens": 4, "grammar": form.grammar}
            )
        )

    for name, form in FORMS.items():
        assert "choices" in reply(form), name
    assert "choices" not in reply(Form("root ::= missing\n", {}))


def test_text_in_braces_that_is_no_json_passes_through() -> None:
    assert read(FORMS["answer"], ["{GLOW} helps ", "here. [1]"]) == "{GLOW} helps here. [1]"
    assert read(FORMS["answer"], ['{"sentences": [{"te']) == ""
