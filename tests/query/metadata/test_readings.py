"""What questions on papers' metadata are read as; other questions are left alone.

Conditions are compared by their ids, which do not depend on any wording.
"""

from datetime import date

import pytest

from rag.query.metadata.lexicon import lexicon
from rag.query.metadata.parse import parse, parse_follow_up
from rag.query.metadata.rules import Known
from rag.records import ByAuthor, MetadataQuery

SAID_BY_PAPERS = {"without labels", "without rewards"}
KNOWN = Known(
    lambda: ["OpenBMB", "Google DeepMind", "The Chinese University of Hong Kong"],
    lambda: ["Yann LeCun", "Jurgen Schmidhuber", "Wei Chen", "Wei Li Chen"],
    SAID_BY_PAPERS.__contains__,
    date(2026, 11, 28),
)


def ids(query: MetadataQuery) -> list[str]:
    """Everything that was read, by ids."""
    return [
        *(item.id for item in query.filters),
        *(f"asked:{field}" for field in query.asked),
        *(["counted"] if query.counted else []),
        *([f"tally:{query.tally.period}:{query.tally.shown}"] if query.tally else []),
        *([f"averaged:{query.averaged}"] if query.averaged else []),
        *([f"limit:{query.limit}"] if query.limit else []),
    ]


@pytest.mark.parametrize(
    ("question", "topic", "read"),
    [
        ("papers from 2023 on grokking", "grokking", ["published:2023..2023"]),
        ("anything published before 2017?", "", ["published:..2016"]),
        ("papers since March 2021", "", ["published:2021-03.."]),
        ("what appeared on 28 Aug 2024?", "", ["published:2024-08-28..2024-08-28"]),
        ("papers until 2015-06-30", "", ["published:..2015-06-30"]),
        (
            "which papers between 2015 and 2018 are on distillation",
            "distillation",
            ["published:2015..2018"],
        ),
        ("which papers have a single author?", "", ["author_count:1..1"]),
        ("the two papers tied at twenty authors", "", ["author_count:20..20"]),
        ("papers with more than ten authors", "", ["author_count:11.."]),
        ("papers with nine or more authors", "", ["author_count:9.."]),
        ("what's the newest paper on GRPO?", "GRPO", ["order:published:descending:1:1"]),
        ("the oldest paper", "", ["order:published:ascending:1:1"]),
        ("which paper has the most comments", "", ["order:comments:descending:1:1"]),
        ("how many authors has TÜLU 3?", "TÜLU 3", ["asked:author_count"]),
        ("when was Barlow Twins published?", "Barlow Twins", ["asked:published"]),
        ("who is the first author of DistillSpec?", "DistillSpec", ["asked:authors"]),
        ("how many papers do you have on diffusion?", "diffusion", ["counted"]),
        ("papers by OpenBMB", "", ["organisation:OpenBMB"]),
        ("the three newest papers", "", ["order:published:descending:3:1"]),
        ("show the 5 oldest papers on RLHF", "RLHF", ["order:published:ascending:5:1"]),
        ("which two papers have the most authors?", "", ["order:author_count:descending:2:1"]),
        ("newest three papers on distillation", "distillation", ["order:published:descending:3:1"]),
        ("papers with 2-4 authors", "", ["author_count:2..4"]),
        ("papers with between 5 and 10 authors", "", ["author_count:5..10"]),
        ("papers with two to four authors", "", ["author_count:2..4"]),
        ("papers from March 2024", "", ["published:2024-03..2024-03"]),
        ("papers from January to March 2024", "", ["published:2024-01..2024-03"]),
        ("papers in Jan-Mar 2024 on RL", "RL", ["published:2024-01..2024-03"]),
        ("papers between November 2023 and February 2024", "", ["published:2023-11..2024-02"]),
        ("papers from March 5 to May 7, 2024", "", ["published:2024-03-05..2024-05-07"]),
        ("papers from 2023-03 to 2024", "", ["published:2023-03..2024"]),
        ("entries without any date or author count", "", ["lacks:published", "lacks:author_count"]),
        ("How many few-shot learning papers are there?", "few-shot learning", ["counted"]),
        ("Should be a single paper dated 2018. Which one?", "", ["published:2018..2018"]),
        ("papers from 2018 up to and including 2020", "", ["published:2018..2020"]),
        ("what do you have from the 1990s?", "", ["published:1990..1999"]),
        ("papers from 2022 or 2023", "", ["any(published:2022..2022|published:2023..2023)"]),
        (
            "papers from 2018, 2020 and 2021",
            "",
            ["any(published:2018..2018|published:2020..2020|published:2021..2021)"],
        ),
        ("papers not from 2023", "", ["published:!2023..2023"]),
        (
            "papers neither from 2023 nor from 2024",
            "",
            ["published:!2023..2023", "published:!2024..2024"],
        ),
        (
            "papers from 2021 but not with 4 authors",
            "",
            ["published:2021..2021", "author_count:!4..4"],
        ),
        ("how many papers are newer than PolyMaX?", "", ["published:>PolyMaX", "counted"]),
        ("papers published before Barlow Twins on RL", "RL", ["published:<Barlow Twins"]),
        (
            "average number of authors per paper in 2023",
            "",
            ["published:2023..2023", "averaged:author_count"],
        ),
        ("what appeared in the last quarter of 2021", "", ["published:2021-10..2021-12"]),
        ("Which papers show exactly three comments?", "", ["comments:3..3"]),
        ("papers with at least 2 comments", "", ["comments:2.."]),
        ("Which papers got commented on?", "", ["has:comments"]),
        ("papers by a team of five", "", ["author_count:5..5"]),
        (
            "Does any entry give an organisation rather than an author count?",
            "",
            ["has:organisation", "lacks:author_count"],
        ),
        ("whose author list is longest?", "", ["order:author_count:descending:1:1"]),
        ("the second newest paper on RL", "RL", ["order:published:descending:1:2"]),
        (
            "TÜLU 3 has the longest author list. What comes second?",
            "",
            ["order:author_count:descending:1:2"],
        ),
        ("surveys you have, oldest first", "surveys", ["order:published:ascending:all:1"]),
        (
            "Apart from XDen-1K, what's your most recent paper?",
            "",
            ["not-paper:XDen-1K", "order:published:descending:1:1"],
        ),
        ("Was DistillSpec published before 2020?", "DistillSpec", ["asked:published"]),
        ("Which year has the most papers?", "", ["tally:year:most"]),
        ("How many papers on RL per month?", "RL", ["counted", "tally:month:all"]),
        ("the average number of authors", "", ["averaged:author_count"]),
        ("papers from 2024 on counting", "counting", ["published:2024..2024"]),
        ("papers from 2023 on library learning", "library learning", ["published:2023..2023"]),
        ("papers with 3 authors on online learning", "online learning", ["author_count:3..3"]),
        ("newest paper on number theory", "number theory", ["order:published:descending:1:1"]),
        (
            "newest paper on database question answering",
            "database question answering",
            ["order:published:descending:1:1"],
        ),
        (
            "newest paper on first order methods",
            "first order methods",
            ["order:published:descending:1:1"],
        ),
        ("papers of 2023 on people detection", "people detection", ["published:2023..2023"]),
        (
            "papers from 2023 or with one author",
            "",
            ["any(published:2023..2023|author_count:1..1)"],
        ),
        (
            "Summarise the three newest papers on diffusion models",
            "diffusion models",
            ["order:published:descending:3:1"],
        ),
        (
            "Summarize the two oldest papers on time series",
            "time series",
            ["order:published:ascending:2:1"],
        ),
        (
            "In 2025, which methods were proposed for aligning language models?",
            "aligning language models",
            ["published:2025..2025"],
        ),
        ("papers by Yann LeCun", "", ["author:Yann LeCun"]),
        ("papers co-authored by Y. LeCun on energy models", "energy models", ["author:Y. LeCun"]),
        (
            "papers by Jürgen Schmidhuber from 2023",
            "",
            ["author:Jürgen Schmidhuber", "published:2023..2023"],
        ),
        ("papers by Chen", "", ["author:Chen"]),
        ("what has Yann LeCun written? papers by LeCun", "", ["author:Yann LeCun", "author:LeCun"]),
        ("papers by Ada Lovelace on engines", "engines", ["author:Ada Lovelace"]),
        ("cs.RO papers", "", ["category:cs.RO"]),
        (
            "cs.RO papers on grasping from 2024",
            "grasping",
            ["category:cs.RO", "published:2024..2024"],
        ),
        ("papers in cs.LG with at least 100 upvotes", "", ["category:cs.LG", "upvotes:100.."]),
        ("which papers appeared last year?", "", ["published:2025..2025"]),
        ("papers from this month on RL", "RL", ["published:2026-11..2026-11"]),
        (
            "papers from the last two years on distillation",
            "distillation",
            ["published:2024-11-28.."],
        ),
        ("recent papers on quantization", "quantization", ["published:2025-11.."]),
        ("recent work on quantization", "quantization", ["published:2025-11.."]),
        (
            "papers of the past 6 months with more than 20 upvotes",
            "",
            ["published:2026-05-28..", "upvotes:21.."],
        ),
        ("the most upvoted papers on agents", "agents", ["order:upvotes:descending:5:1"]),
        ("the five most upvoted papers", "", ["order:upvotes:descending:5:1"]),
        ("papers with at most 5 comments", "", ["comments:..5"]),
        ("papers with 10 or more upvotes on RL", "RL", ["upvotes:10.."]),
        ("five papers on diffusion", "diffusion", ["limit:5"]),
        ("show me 3 papers about few-shot learning", "few-shot learning", ["limit:3"]),
        ("papers on diffusion but not video", "diffusion", ["not-about:video"]),
        (
            "RL papers that are not about games from 2024",
            "RL",
            ["not-about:games", "published:2024..2024"],
        ),
        (
            "image generation papers without transformers",
            "image generation",
            ["not-about:transformers"],
        ),
        (
            "papers from 2022 or 2024 on pruning",
            "pruning",
            ["any(published:2022..2022|published:2024..2024)"],
        ),
        (
            "papers with one author or with more than 20 authors",
            "",
            ["any(author_count:1..1|author_count:21..)"],
        ),
        (
            "papers on diffusion from 2023 or 2024 by OpenBMB",
            "diffusion",
            ["any(published:2023..2023|published:2024..2024)", "organisation:OpenBMB"],
        ),
        ("papers about databases with at least 5 authors", "databases", ["author_count:5.."]),
        (
            "Which papers about counting have the most authors?",
            "counting",
            ["order:author_count:descending:1:1"],
        ),
        (
            "papers studying people counting, newest first",
            "people counting",
            ["order:published:descending:all:1"],
        ),
        (
            "how many papers on number formats are there from 2023?",
            "number formats",
            ["published:2023..2023", "counted"],
        ),
        (
            "papers on the first order logic from before 2020",
            "first order logic",
            ["published:..2019"],
        ),
        (
            "which papers on date extraction have two authors?",
            "date extraction",
            ["author_count:2..2"],
        ),
        (
            "papers published in 2024 about author identification",
            "author identification",
            ["published:2024..2024"],
        ),
        ("list everything on names in code from 2023", "names in code", ["published:2023..2023"]),
        (
            "papers regarding entry points, oldest first",
            "entry points",
            ["order:published:ascending:all:1"],
        ),
        (
            "Which 2023 papers are about one-shot learning?",
            "one-shot learning",
            ["published:2023..2023"],
        ),
        (
            "papers from 2019 to 2021 on publication bias",
            "publication bias",
            ["published:2019..2021"],
        ),
        ("how many upvotes has GLOW?", "GLOW", ["asked:upvotes"]),
        (
            "papers from Google DeepMind since 2023",
            "",
            ["organisation:Google DeepMind", "published:2023.."],
        ),
        ("What came out in December 2024?", "", ["published:2024-12..2024-12"]),
        # Keywords, as for a search engine.
        ("vision transformers, 2022-2023", "vision transformers", ["published:2022..2023"]),
        ("Q3 2021 contrastive learning", "contrastive learning", ["published:2021-07..2021-09"]),
        (
            "reinforcement learning from human feedback, but not from 2023",
            "reinforcement learning from human feedback",
            ["published:!2023..2023"],
        ),
        ("image segmentation but not medical", "image segmentation", ["not-about:medical"]),
        (
            "language models, excluding anything about translation",
            "language models",
            ["not-about:translation"],
        ),
        ("machine translation pre-2016", "machine translation", ["published:..2015"]),
        (
            "What has been done on distillation in the last three years?",
            "distillation",
            ["published:2023-11-28.."],
        ),
        ("whats new this month in agents", "agents", ["published:2026-11..2026-11"]),
        ("papers with a dozen or more authors", "", ["author_count:12.."]),
        ("what percentage of papers have one author", "", ["author_count:1..1"]),
        ("how many are there?", "", ["counted"]),
    ],
)
def test_what_is_asked_of_metadata(question, topic, read) -> None:
    query = parse(question, KNOWN)
    assert (query.topic, ids(query)) == (topic, read)


@pytest.mark.parametrize(
    "question",
    [
        "which papers study density ratios in RL?",
        "How many samples did the estimator need?",
        "When exactly are sampling and upweighting the same thing?",
        "What happened to sepsis mortality between 2009 and 2014?",
        "250,000 people are infected with HTLV-1",
        "a single gradient step in few-shot learning",
        "Which model has the lowest word error rate?",
        "does the ImageNet 2012 model transfer?",
        "Did the three models gain 2-4 points?",
        "How did cases from January to March 2020 spread?",
        "Does the mean of the embeddings collapse?",
        "How many samples per year does the estimator need?",
        "How many Gaussians per category work best?",
        "How many samples per class work best in these papers?",
        "Which loss comes second after cross entropy?",
        "Is the second stage trained longer than the first?",
        "papers on the year 2000 problem",
        "What are the dates of the conference?",
        "What are recent trends in offline RL?",
        "papers on learning without labels",
        "papers on reinforcement learning without rewards",
        "papers on time to first token",
        "papers on numbers and counts in language models",
        "What does it reach against X?",
        "the year 2000 problem and legacy code",
        "training very deep networks without skip connections",
        "generalization before 2000 training steps",
        "temporal splits: train before 2019, test after 2020",
        "models with knowledge cutoff in 2023",
        "data from 2015 to 2020 on air quality",
    ],
)
def test_what_is_asked_of_the_texts(question) -> None:
    query = parse(question, KNOWN)
    assert not query
    assert query.topic == question


@pytest.mark.parametrize(
    ("question", "topic", "read"),
    [
        (
            "die drei neuesten Artikel über Diffusionsmodelle",
            "Diffusionsmodelle",
            ["order:published:descending:3:1"],
        ),
        ("Artikel von 2024", "", ["published:2024..2024"]),
        ("Artikel von Yann LeCun", "", ["author:Yann LeCun"]),
        ("Artikel mit mindestens drei Autoren", "", ["author_count:3.."]),
        (
            "welche Arbeiten von 2023 haben genau zwei Autoren?",
            "",
            ["published:2023..2023", "author_count:2..2"],
        ),
        ("der älteste Artikel über Robotik", "Robotik", ["order:published:ascending:1:1"]),
        (
            "Artikel zwischen 2019 und 2021 über Sprachmodelle",
            "Sprachmodelle",
            ["published:2019..2021"],
        ),
        ("Artikel vor März 2024", "", ["published:..2024-02"]),
        ("Artikel seit 2022 von OpenBMB", "", ["published:2022..", "organisation:OpenBMB"]),
        ("wie viele Artikel gibt es über Diffusionsmodelle?", "Diffusionsmodelle", ["counted"]),
        ("Artikel vom 5. März 2024", "", ["published:2024-03-05..2024-03-05"]),
        ("Artikel vom letzten Jahr", "", ["published:2025..2025"]),
        ("welcher Artikel hat die meisten Autoren?", "", ["order:author_count:descending:1:1"]),
        ("Wie lernen Diffusionsmodelle?", "Wie lernen Diffusionsmodelle?", []),
    ],
)
def test_german_is_a_lexicon_of_its_own(question, topic, read) -> None:
    query = parse(question, KNOWN, lexicon("german"))
    assert (query.topic, ids(query)) == (topic, read)


@pytest.mark.parametrize(
    ("earlier", "question", "topic", "read"),
    [
        (["papers on RL from 2022?"], "and from 2023?", "RL", ["published:2023..2023"]),
        (["how many papers are from 2022?"], "and 2023?", "", ["published:2023..2023", "counted"]),
        (
            ["papers on RL from 2022"],
            "only those with one author",
            "RL",
            ["published:2022..2022", "author_count:1..1"],
        ),
        (
            ["papers on RL from 2022", "only those with one author"],
            "and from 2021?",
            "RL",
            ["author_count:1..1", "published:2021..2021"],
        ),
        (["which papers study RL?"], "and from 2023?", "RL", ["published:2023..2023"]),
        (
            ["What does Barlow Twins do?"],
            "when was it published?",
            "Barlow Twins",
            ["asked:published"],
        ),
        (
            ["papers on RL from 2022"],
            "and the newest of them?",
            "RL",
            ["published:2022..2022", "order:published:descending:1:1"],
        ),
        (["papers on RL from 2021"], "no, I meant 2022", "RL", ["published:2022..2022"]),
        ([], "papers from 2023", "", ["published:2023..2023"]),
    ],
)
def test_a_follow_up_replaces_conditions_on_the_same_fact(earlier, question, topic, read) -> None:
    query = parse_follow_up(earlier, question, KNOWN)
    assert (query.topic, ids(query)) == (topic, read)


def test_a_family_name_may_mean_several_people() -> None:
    several = ("Wei Chen", "Wei Li Chen")
    assert parse("papers by Chen", KNOWN).conditions == (ByAuthor("Chen", several),)
    assert parse("papers by W. Chen", KNOWN).conditions == (ByAuthor("W. Chen", several),)


def test_a_filter_is_taken_away_by_its_id() -> None:
    query = parse("the three newest papers on RL from 2023", KNOWN)
    assert ids(query.without(["published:2023..2023"])) == ["order:published:descending:3:1"]
    assert query.without([item.id for item in query.filters]).topic == "RL"
    assert parse("papers from 2023", KNOWN).without(["published:2023..2023"]).counted
