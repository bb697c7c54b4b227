"""Rules for facts (asked for, known, missing), counts by year, means, and exclusions."""

from __future__ import annotations

from typing import Literal

from rag.query.metadata.rules import Asked, Averaged, Counted, Make, Meaning, Reading, Rule
from rag.records import Field, NotAbout, NotPaper, Presence, Tally

_FIELDS: tuple[tuple[str, Field], ...] = (
    ("facts_date", "published"),
    ("facts_authors", "author_count"),
    ("facts_organisation", "organisation"),
    ("facts_comments", "comments"),
)
# The name of a fact, but not the subject of a clause: "the date is ...".
_FACT = (
    "(?:{facts_date}|{facts_authors}|{facts_organisation}|{facts_comments})(?! (?:are|is|was)\\b)"
)


def _ask(field: Field) -> Make:
    return lambda _: Asked(field)


def _presence(known: bool) -> Make:
    def make(reading: Reading) -> list[Meaning]:
        names = [name for name in (reading["fact"], reading["other"]) if name]
        return [Presence(_field_called(name, reading), known) for name in names]

    return make


def _field_called(name: str, reading: Reading) -> Field:
    return next(field for slot, field in _FIELDS if reading.words.has(slot, name))


def _tally(reading: Reading) -> Tally:
    extreme = (reading["x"] or reading["x2"] or reading["x3"]).casefold()
    by_month = reading.words.has("months_word", reading.match.string[reading.match.start() :])
    shown: Literal["all", "most", "fewest"] = "all"
    if extreme:
        shown = "fewest" if reading.words.has("least", extreme) else "most"
    return Tally("month" if by_month else "year", shown)


def _average(reading: Reading) -> Averaged:
    noun = reading["what"] or reading["what2"]
    fields = (("authors", "author_count"), ("people", "author_count"), ("comments", "comments"))
    field = next((field for slot, field in fields if reading.words.has(slot, noun)), "upvotes")
    return Averaged(field)  # type: ignore[arg-type]


def _without(reading: Reading) -> NotAbout | None:
    """Read "without X" as an exclusion, unless papers use the phrase "without X".

    "Learning without labels" is a subject.
    """
    topic = reading["topic"].strip()
    if any(reading.words.has(slot, topic) for slot, _ in _FIELDS):
        return None  # "without any date" asks for missing facts
    return None if reading.known.phrase(reading.match[0]) else NotAbout(topic)


# One to four words that are excluded, up to the end or the next condition:
# "not about board games from 2024" excludes "board games".
_TOPIC = (
    "(?P<topic>(?!(?:{in}|with|by)\\b)[\\w-]+(?: (?!(?:{except_stop}|{published}|{in}"
    "|with|by|and)\\b)[\\w-]+){0,3})(?=\\s*(?:[?.,;!]|$)|\\s+(?:{published}|{in}|with|by|and)\\b)"
)
RULES = [
    Rule(
        "asked.author_count",
        "(?:and )?(?:by )?{how_many_people}",
        _ask("author_count"),
        {"how many authors has TÜLU 3?": Asked("author_count")},
        ("How many samples did the authors take?",),
    ),
    Rule(
        "asked.comments",
        "{how_many_comments}",
        _ask("comments"),
        {"how many comments has GLOW?": Asked("comments")},
        ("How many tokens are there?",),
    ),
    Rule(
        "asked.upvotes",
        "{how_many_upvotes}",
        _ask("upvotes"),
        {"how many upvotes has GLOW?": Asked("upvotes")},
        ("How many tokens are there?",),
    ),
    Rule(
        "asked.authors",
        "{who_wrote}",
        _ask("authors"),
        {
            "who is the first author of DistillSpec?": Asked("authors"),
            "Who wrote GLOW?": Asked("authors"),
        },
        ("Who studies grokking?",),
    ),
    Rule(
        "asked.organisation",
        "{which_organisation}",
        _ask("organisation"),
        {"Which lab is behind GLOW?": Asked("organisation")},
        ("Which layers help?",),
    ),
    Rule(
        "asked.published",
        "{when_published}",
        _ask("published"),
        {
            "when was Barlow Twins published?": Asked("published"),
            "DistillSpec publication date": Asked("published"),
            "list what you have, with dates": Asked("published"),
        },
        (
            "When exactly are sampling and upweighting the same thing?",
            "What are the dates of the conference?",
        ),
    ),
    Rule(
        "counted",
        "{counted_papers}",
        lambda _: Counted(),
        {
            "how many papers do you have on diffusion?": Counted(),
            "How many few-shot learning papers are there?": Counted(),
        },
        (
            "How many Gaussians per category work best?",
            "How many samples per class work best in these papers?",
            "How many papers does the review of graphs go through?",
        ),
    ),
    Rule(
        "missing",
        f"{{lacking}} (?:{{any_of}} )*(?P<fact>{_FACT})(?:,? {{and_or}} (?:{{any_of}} )*"
        f"(?P<other>{_FACT}))?",
        _presence(known=False),
        {
            "entries without any date or author count": (
                Presence("published", False),
                Presence("author_count", False),
            )
        },
        ("training without labels",),
    ),
    Rule(
        "undated",
        "{undated}",
        lambda _: Presence("published", known=False),
        {"undated papers": Presence("published", False)},
        ("an updated model",),
    ),
    Rule(
        "known",
        "{having} (?:any|an|known|printed|some) (?:known |printed )?(?P<fact>{facts_date}"
        "|authors? counts?|{facts_organisation})(?! (?:are|is|was)\\b)",
        _presence(known=True),
        {"Does any entry give an organisation?": Presence("organisation")},
        ("have any of them converged?",),
    ),
    Rule(
        "tally.extreme",
        "{which_year}[^?.]*\\b(?P<x>{extreme}) {papers}(?: in)?"
        "|(?P<x2>{extreme}) {papers}(?=[^?.]*{each_year})|(?:the )?(?P<x3>busiest"
        "|quietest) (?:year|month)",
        _tally,
        {
            "Which year has the most papers?": Tally("year", "most"),
            "What is the busiest month?": Tally("month", "most"),
        },
        ("Which year saw the most storms?",),
    ),
    Rule(
        "tally.each",
        "{each_year}",
        _tally,
        {"How many papers on RL per month?": Tally("month")},
        ("How many samples per year does the estimator need?",),
        needs="papers",
    ),
    Rule(
        "average",
        "(?:the )?{average}(?: (?:number|count) of)? (?P<what>{people}|{comments}"
        "|{upvotes})(?: per {papers})?|how many (?P<what2>{people}|{comments}"
        "|{upvotes})(?=[^?.]*{on_average})",
        _average,
        {
            "average number of authors per paper in 2023": Averaged("author_count"),
            "the average number of comments": Averaged("comments"),
        },
        ("Does the mean of the embeddings collapse?",),
    ),
    Rule(
        "on_average",
        "{on_average}(?: per {papers})?",
        lambda _: (),
        {"how many authors has a paper on average": ()},
        ("the average",),
    ),
    Rule(
        "except",
        "{except_paper} (?P<name>{name}(?: (?:{name_links} )+{name})*)",
        lambda reading: NotPaper(reading["name"]),
        {"Apart from XDen-1K, what's your most recent paper?": NotPaper("XDen-1K")},
        ("In which languages besides English was it tried?",),
        needs="a_paper_cue",
    ),
    Rule(
        "not_about",
        f"(?:{{not_about}}|{{except_on}}) {_TOPIC}",
        lambda reading: NotAbout(reading["topic"].strip()),
        {
            "papers on diffusion but not video": NotAbout("video"),
            "RL papers that are not about games from 2024": NotAbout("games"),
        },
        ("It is not about the weights", "papers but not from 2023"),
        needs="list_cue",
        keywords=True,
    ),
    Rule(
        "without",
        f"{{without}} {_TOPIC}",
        _without,
        {"which papers generate images without transformers?": NotAbout("transformers")},
        (
            "papers on learning without labels",
            "papers without any dates",
            "Why does the work find penalties without structure overcautious?",
        ),
        needs="list_cue",
    ),
]
