"""Rules for dates and periods: "in March 2024", "January to May 2024", "before 2017"."""

from __future__ import annotations

from rag.query.metadata.rules import Make, Reading, Rule
from rag.records import AnyOf, Condition, DatedLike, DateRange, next_date, previous_date

_RECENT_YEARS = 1  # the maximum age of "recent" papers


def _in(reading: Reading) -> Condition:
    return DateRange(reading.date(), reading.date())


def _outside(reading: Reading) -> Condition:
    return DateRange(reading.date(), reading.date(), outside=True)


def _after(reading: Reading) -> Condition:
    return DateRange(first=next_date(reading.date()))


def _before(reading: Reading) -> Condition:
    return DateRange(last=previous_date(reading.date()))


def _between(reading: Reading) -> Condition | None:
    """Read a period; in "March to May 2024" the first month takes the year of the second."""
    first, last = reading.date("since"), reading.date("until")
    # A date without a year begins with its month.
    if first[0] < 1000:
        first = (last[0], *first)
    return DateRange(first, last) if first[: len(last)] <= last else None


def _years(reading: Reading) -> Condition:
    years = sorted({int(year) for year in _all_years(reading.match[0])})
    return AnyOf(tuple(DateRange((year,), (year,)) for year in years))


def _all_years(text: str) -> list[str]:
    return [word for word in text.replace(",", " ").split() if word.isdigit()]


def _part_of_decade(first: int, last: int) -> Make:
    """Return a function that makes the years `first` to `last` of a decade, each 0 to 9."""

    def make(reading: Reading) -> Condition:
        decade = int(reading["decade"]) * 10
        return DateRange((decade + first,), (decade + last,))

    return make


def _part(first: int, last: int) -> Make:
    """Return a function that makes the range from month `first` to month `last` of a year."""

    def make(reading: Reading) -> Condition:
        year = int(reading["y"])
        return DateRange((year, first), (year, last))

    return make


def _this_year(reading: Reading) -> Condition:
    year = (reading.known.today.year,)
    return DateRange(year, year, named=reading.match[0].casefold())


def _last_year(reading: Reading) -> Condition:
    year = (reading.known.today.year - 1,)
    return DateRange(year, year, named=reading.match[0].casefold())


def _this_month(reading: Reading) -> Condition:
    month = (reading.known.today.year, reading.known.today.month)
    return DateRange(month, month, named=reading.match[0].casefold())


def _last_month(reading: Reading) -> Condition:
    month = previous_date((reading.known.today.year, reading.known.today.month))
    return DateRange(month, month, named=reading.match[0].casefold())


def _last_years(reading: Reading) -> Condition:
    today, number = reading.known.today, reading.number()
    named = reading.match[0].casefold().strip()
    # 29 February exists in few years, so no day after the 28th is used.
    return DateRange(first=(today.year - number, today.month, min(today.day, 28)), named=named)


def _last_months(reading: Reading) -> Condition:
    today = reading.known.today
    months = today.year * 12 + today.month - 1 - reading.number()
    first = (months // 12, months % 12 + 1, min(today.day, 28))
    return DateRange(first=first, named=reading.match[0].casefold().strip())


def _recent(reading: Reading) -> Condition:
    today = reading.known.today
    return DateRange(first=(today.year - _RECENT_YEARS, today.month), named="recent")


def _newer(reading: Reading) -> Condition:
    return DatedLike(reading["name"], ">")


def _older(reading: Reading) -> Condition:
    return DatedLike(reading["name"], "<")


def _in_year(reading: Reading) -> Condition:
    date = reading.words.date(reading["date"] or reading["date2"] or reading["date3"])
    return DateRange(date, date)


RULES = [
    Rule(
        "date.not",
        "{not_from}(?: {those})?(?: {published})?(?: {in})+ (?P<date>{date})",
        _outside,
        {
            "papers not from 2023": DateRange((2023,), (2023,), outside=True),
            "papers neither from 2023 nor from 2024": (
                DateRange((2023,), (2023,), outside=True),
                DateRange((2024,), (2024,), outside=True),
            ),
        },
        ("Is the model not from scratch but from 3 others?",),
        needs="paper_cue",
        keywords=True,
    ),
    Rule(
        "date.between",
        "(?:{published} )?(?:{in} )?(?:{between} )?(?P<since>{date}|{day_or_month})(?: {to} "
        "|\\s?[-–]\\s?)(?P<until>{date})",
        _between,
        {
            "papers between 2015 and 2018 on distillation": DateRange((2015,), (2018,)),
            "papers from January to March 2024": DateRange((2024, 1), (2024, 3)),
            "papers in Jan-Mar 2024 on RL": DateRange((2024, 1), (2024, 3)),
            "papers from March 5 to May 7, 2024": DateRange((2024, 3, 5), (2024, 5, 7)),
            "papers from 2023-03 to 2024": DateRange((2023, 3), (2024,)),
            "papers from 2018 up to and including 2020": DateRange((2018,), (2020,)),
        },
        (
            "What happened to sepsis mortality between 2009 and 2014?",
            "How did cases from January to March 2020 spread?",
        ),
        needs="paper_cue",
        keywords=True,
    ),
    Rule(
        "date.years",
        "{in} (?:either )?{year}(?:, {year})*,? {or} {year}",
        _years,
        {
            "papers from 2022 or 2023": AnyOf(
                (DateRange((2022,), (2022,)), DateRange((2023,), (2023,)))
            ),
            "papers from 2018, 2020 and 2021": AnyOf(
                tuple(DateRange((year,), (year,)) for year in (2018, 2020, 2021))
            ),
        },
        ("Do ImageNet models of 2012 and later transfer?",),
        needs="paper_cue",
    ),
    Rule(
        "date.until",
        "(?:{published} )?{until} (?P<date>{date})|(?P<date2>{date}) {or_earlier}",
        lambda reading: DateRange(last=reading.words.date(reading["date"] or reading["date2"])),
        {
            "papers until 2015-06-30": DateRange(last=(2015, 6, 30)),
            "papers from the lab, 2019 or earlier": DateRange(last=(2019,)),
        },
        ("Until 2015 error rates fell; why?",),
        needs="paper_cue",
        keywords=True,
    ),
    Rule(
        "date.before",
        "(?:{in} )?(?:{published} )?{before} ?(?P<date>{date})",
        _before,
        {
            "anything published before 2017?": DateRange(last=(2016,)),
            "papers older than 1 March 2024": DateRange(last=(2024, 2, 29)),
            "what appeared before January 2024": DateRange(last=(2023, 12)),
        },
        ("Were patients admitted before 2017 treated?",),
        needs="paper_cue",
        keywords=True,
    ),
    Rule(
        "date.since",
        "(?:{published} )?{since} (?P<date>{date})|(?:{in} )?(?P<date2>{date}) (?:{or_later}"
        "|{onwards_at_the_end}(?=\\s*(?:[?.,;]|$)))",
        lambda reading: DateRange(first=reading.words.date(reading["date"] or reading["date2"])),
        {
            "papers since March 2021": DateRange(first=(2021, 3)),
            "papers from 2024 on": DateRange(first=(2024,)),
            "everything from 2023 or later": DateRange(first=(2023,)),
        },
        ("papers on counting since it is hard",),
        needs="paper_cue",
        keywords=True,
    ),
    Rule(
        "date.after",
        "(?:{in} )?(?:{published} )?{after} ?(?P<date>{date})",
        _after,
        {
            "everything after september 2024 please": DateRange(first=(2024, 10)),
            "papers newer than 2020": DateRange(first=(2021,)),
        },
        ("Did mortality rise after 2014?",),
        needs="paper_cue",
        keywords=True,
    ),
    Rule(
        "date.in",
        "(?:{published} )?(?:back )?(?:{in} (?:{the_year} )?)(?P<date>{date})"
        "|(?<!on )(?<!about ){the_year} (?P<date2>{date})",
        _in_year,
        {
            "papers from 2023 on grokking": DateRange((2023,), (2023,)),
            "What came out in December 2024?": DateRange((2024, 12), (2024, 12)),
            "In 2025, which methods were proposed for alignment?": DateRange((2025,), (2025,)),
            "Papers dated 2020, please, of the year 2020": DateRange((2020,), (2020,)),
        },
        (
            "does the ImageNet 2012 model transfer?",
            "papers on the year 2000 problem",
        ),
        needs="paper_cue",
    ),
    Rule(
        "date.of_papers",
        "(?P<date>{date})(?:'s)? {papers}|{published} (?P<date2>{date})|(?:date"
        "|dates) (?:back )?(?:{in}|to) (?P<date3>{date})",
        _in_year,
        {
            "the 2017 papers": DateRange((2017,), (2017,)),
            "Should be a single paper dated 2018. Which one?": DateRange((2018,), (2018,)),
            "Which learning papers date from 2022?": DateRange((2022,), (2022,)),
        },
        ("the 2017 Atari scores of these papers",),
        needs="paper_cue",
    ),
    Rule(
        "date.day",
        "(?:(?:{published} )?(?:{on_day} )?)(?P<date>{full_date})",
        _in,
        {
            "what appeared on 28 Aug 2024?": DateRange((2024, 8, 28), (2024, 8, 28)),
            "papers, March 2024": DateRange((2024, 3), (2024, 3)),
        },
        ("Did cases peak on 5 March 2020?",),
        needs="paper_cue",
    ),
    Rule(
        "date.early_decade",
        "(?:{in} )?(?:the )?{early} (?P<decade>19[5-9]|20[0-4]){decade_ending}",
        lambda reading: DateRange(
            (int(reading["decade"]) * 10,), (int(reading["decade"]) * 10 + 4,)
        ),
        {"word embeddings in the early 2010s": DateRange((2010,), (2014,))},
        ("Was the early 2010s model better?",),
        needs="paper_cue",
        keywords=True,
    ),
    Rule(
        "date.late_decade",
        "(?:{in} )?(?:the )?{late} (?P<decade>19[5-9]|20[0-4]){decade_ending}",
        lambda reading: DateRange(
            (int(reading["decade"]) * 10 + 5,), (int(reading["decade"]) * 10 + 9,)
        ),
        {"papers from the late 2010s": DateRange((2015,), (2019,))},
        ("Was the late 2010s model better?",),
        needs="paper_cue",
        keywords=True,
    ),
    Rule(
        "date.decade",
        "(?:{in} )?(?:the )?(?P<decade>19[5-9]|20[0-4]){decade_ending}",
        _part_of_decade(0, 9),
        {"what do you have from the 1990s?": DateRange((1990,), (1999,))},
        ("Did the 1990s bring better nets?",),
        needs="paper_cue",
        keywords=True,
    ),
    *(
        Rule(
            f"date.{slot}",
            f"(?:{{in}} )?{{{slot}}}(?: {{in}})? (?P<y>{{year}})",
            _part(first, last),
            {f"what appeared in {words} of 2021": DateRange((2021, first), (2021, last))},
            (f"Was {words} of 2021 warm?",),
            needs="paper_cue",
            keywords=True,
        )
        for slot, words, first, last in (
            ("first_half", "the first half", 1, 6),
            ("second_half", "the second half", 7, 12),
            ("quarter_1", "Q1", 1, 3),
            ("quarter_2", "the second quarter", 4, 6),
            ("quarter_3", "Q3", 7, 9),
            ("quarter_4", "the last quarter", 10, 12),
        )
    ),
    Rule(
        "date.this_year",
        "(?:{in} )?{this_year}",
        _this_year,
        {"papers from this year on RL": DateRange((2026,), (2026,), named="from this year")},
        ("Is it warm this year?",),
        needs="paper_cue",
        keywords=True,
    ),
    Rule(
        "date.last_year",
        "(?:{in} )?{last_year}",
        _last_year,
        {"which papers appeared last year?": DateRange((2025,), (2025,), named="last year")},
        ("Did scores fall last year?",),
        needs="paper_cue",
        keywords=True,
    ),
    Rule(
        "date.this_month",
        "(?:{in} )?{this_month}",
        _this_month,
        {"papers posted this month": DateRange((2026, 11), (2026, 11), named="this month")},
        ("Is it warm this month?",),
        needs="paper_cue",
        keywords=True,
    ),
    Rule(
        "date.last_month",
        "(?:{in} )?{last_month}",
        _last_month,
        {"papers posted last month": DateRange((2026, 10), (2026, 10), named="last month")},
        ("Did scores fall last month?",),
        needs="paper_cue",
        keywords=True,
    ),
    Rule(
        "date.last_years",
        "(?:{in} )?{the_last} (?P<n>{number}) {years}",
        _last_years,
        {
            "papers from the last two years": DateRange(
                first=(2024, 11, 28), named="from the last two years"
            )
        },
        ("Did scores fall over the last two years?",),
        needs="paper_cue",
        keywords=True,
    ),
    Rule(
        "date.last_months",
        "(?:{in} )?{the_last} (?P<n>{number}) {months_word}",
        _last_months,
        {
            "papers of the past 3 months": DateRange(
                first=(2026, 8, 28), named="of the past 3 months"
            )
        },
        ("Did scores fall over the past 3 months?",),
        needs="paper_cue",
        keywords=True,
    ),
    Rule(
        "date.recent",
        "{recent}(?: {published})?(?= (?:[\\w-]+ ){0,3}{papers})",
        _recent,
        {"recent papers on RL": DateRange(first=(2025, 11), named="recent")},
        ("What are recent trends in these papers?", "the most recent paper"),
        needs="paper_cue",
    ),
    Rule(
        "date.after_paper",
        "(?:{published} )?(?:{after}|{since}) (?P<name>{name})",
        _newer,
        {"how many papers are newer than PolyMaX?": DatedLike("PolyMaX", ">")},
        ("Is training after PolyMaX cheaper?",),
        needs="a_paper_cue",
    ),
    Rule(
        "date.before_paper",
        "(?:{published} )?{before} (?P<name>{name})",
        _older,
        {"papers published before Barlow Twins on RL": DatedLike("Barlow Twins", "<")},
        ("What was used before Barlow Twins?",),
        needs="a_paper_cue",
    ),
]
