"""A question's scope: only the papers in it are searched, counted and listed."""

import pytest

from rag.errors import InputError
from rag.records import Finished, Scope, SourcesFound

QUESTION = "which papers study density ratios in RL?"


def in_scope(answer) -> set[str]:
    return {citation.paper_id for citation in answer.citations} | {
        hit.paper.id for hit in (*answer.hits, *answer.near_misses)
    }


def test_an_answer_keeps_its_sentences_and_its_scope(demo) -> None:
    scope = Scope(first_year=2018)
    answer = demo.ask(QUESTION, scope=scope)
    assert answer.scope == scope
    assert "\n".join(statement.marked for statement in answer.statements) == answer.text
    assert demo.ask("What is the best pizza recipe?").statements == ()


@pytest.mark.parametrize(
    "question", [QUESTION, "which papers have 3 authors?", "the newest paper on diffusion"]
)
def test_years_restrict_every_kind_of_question(daily, question) -> None:
    answer = daily.ask(question, scope=Scope(first_year=2023, last_year=2024))
    papers = [daily.paper(paper_id) for paper_id in in_scope(answer)]
    assert papers
    assert all(2023 <= paper.published.year <= 2024 for paper in papers)
    assert 0 < answer.looked_at < 270


def test_a_file_restricts(daily) -> None:
    name = sorted(
        {
            name
            for paper in daily.papers()
            for name in [paper.sightings[0].source.rpartition("/")[2]]
        }
    )[0]
    answer = daily.ask("how many papers are there?", scope=Scope(sources=(name,)))
    there = [p for p in daily.papers() if any(s.source.endswith(f"/{name}") for s in p.sightings)]
    assert answer.looked_at == len(there) < 270
    assert f"{len(there)} papers" in answer.text


def test_an_organisation_restricts(daily) -> None:
    name = next(paper.organisation for paper in daily.papers() if paper.organisation)
    answer = daily.ask("how many papers are there?", scope=Scope(organisations=(name.upper(),)))
    assert answer.looked_at == sum(paper.organisation == name for paper in daily.papers())


def test_chosen_papers_restrict_and_are_meant(demo) -> None:
    paper = next(paper for paper in demo.papers() if paper.title.startswith("CDR"))
    scope = Scope(papers=(paper.id,))
    assert in_scope(demo.ask("how is the reward defined?", scope=scope)) == {paper.id}
    counted = demo.ask("How many authors does it have?", scope=scope)
    assert str(paper.author_count) in counted.text
    assert in_scope(counted) == {paper.id}
    other = demo.ask("How many authors has Barlow Twins?", scope=scope)
    assert other.refusal == "no paper of this library is called “Barlow Twins”"


def test_the_stream_searches_within(demo) -> None:
    events = list(demo.ask_stream(QUESTION, scope=Scope(first_year=2024)))
    [found] = [event for event in events if isinstance(event, SourcesFound)]
    assert found.looked_at == events[-1].answer.looked_at < 48
    assert isinstance(events[-1], Finished)
    assert events[0].text == f"searching {found.looked_at} papers"


@pytest.mark.parametrize("question", [QUESTION, "papers from 2020", "how many papers are there?"])
def test_a_scope_that_no_paper_meets(demo, question) -> None:
    answer = demo.ask(question, scope=Scope(first_year=2099, sources=("sample.jsonl",)))
    assert (
        answer.refusal
        == "no paper of the library is within the scope (since 2099, from sample.jsonl)"
    )
    assert answer.looked_at == 0
    assert answer.hits == ()


def test_an_unknown_paper_is_refused(demo) -> None:
    with pytest.raises(InputError, match="no paper 'p-nothing'"):
        demo.ask(QUESTION, scope=Scope(papers=("p-nothing",)))


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        (
            Scope(first_year=2025, last_year=2013),
            "no year is both since 2025 and until 2013; swap the years",
        ),
        (
            Scope(sources=("sampel.jsonl",)),
            "the library has no file 'sampel.jsonl'; the nearest names are sample.jsonl",
        ),
        (
            Scope(organisations=("Google",)),
            "the library has no organisation 'Google'; it has no organisations at all",
        ),
    ],
)
def test_an_impossible_scope_is_reported_before_the_search(demo, scope, message) -> None:
    with pytest.raises(InputError) as error:
        list(demo.ask_stream(QUESTION, scope=scope))
    assert str(error.value) == message


def test_the_nearest_organisations_are_offered(fake, write_papers) -> None:
    names = ("AI2", "Google DeepMind", "Google", "Meta", "Mistral AI")
    fake.ingest(
        [
            write_papers(
                "a.jsonl", *({"title": f"By {name}", "organisation": name} for name in names)
            )
        ]
    )
    with pytest.raises(
        InputError,
        match=r"no organisation 'gogle'; the nearest names are Google, Google DeepMind, ",
    ):
        fake.ask(QUESTION, scope=Scope(organisations=("gogle",)))
    with pytest.raises(InputError, match=r"the nearest names are Google DeepMind, "):
        fake.ask(QUESTION, scope=Scope(organisations=("deepmind",)))
    assert (
        fake.ask("how many papers are there?", scope=Scope(organisations=("META",))).looked_at == 1
    )


def test_a_filter_of_the_question_is_taken_away(demo) -> None:
    question = "papers since 2024 on reinforcement learning"
    narrow = demo.ask(question)
    assert narrow.filters == ("published since 2024",)
    wide = demo.ask(
        question, scope=Scope(without=tuple(item.id for item in narrow.applied_filters))
    )
    assert wide.filters == ()
    assert wide.looked_at == 48
    assert in_scope(wide) > {citation.paper_id for citation in narrow.citations}
    everything = demo.ask("papers from 2024", scope=Scope(without=("date = 2024",)))
    assert everything.text.startswith("The library holds 48 papers")


def test_what_the_conversation_implies_is_taken_away(demo) -> None:
    first = demo.ask(QUESTION)
    question = "How does the second one explore?"
    narrow = demo.ask(question, [first])
    wide = demo.ask(
        question, [first], scope=Scope(without=tuple(item.id for item in narrow.applied_filters))
    )
    assert wide.filters == ()
    assert len(wide.hits) > len(narrow.hits) == 1
    elsewhere = demo.ask(question, [first], scope=Scope(last_year=1990))
    assert elsewhere.refusal
    assert elsewhere.refusal.startswith(
        "no paper of the library is within the scope (until 1990, only “"
    )
