"""The words of a language for the rules: named regular expressions, read from a TOML file."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from rag.records import Date

_SLOT = re.compile(r"\{([a-z]\w*)\}")
_YEAR = r"(?:19[5-9]|20[0-4])\d"
# Capitalised words, with particles between them: "Y. LeCun", "Laurens van der Maaten".
_NAME = (
    r"(?-i:[A-Z][\w'’.-]*(?: (?:(?:van|von|de|der|den|di|da|la|le|el|bin) )*[A-Z][\w'’.-]*){0,3})"
)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The words of one language; `words` maps names to regular expressions."""

    language: str
    months: tuple[str, ...]
    numbers: tuple[str, ...]
    ordinals: tuple[str, ...]
    words: dict[str, str]
    _compiled: dict[str, re.Pattern[str] | None] = field(default_factory=dict, repr=False)

    def pattern(self, template: str) -> re.Pattern[str] | None:
        """Compile a template with {names} of words; None if the language lacks one of them."""
        if template not in self._compiled:
            self._compiled[template] = self._compile(template)
        return self._compiled[template]

    def _compile(self, template: str) -> re.Pattern[str] | None:
        names = set(_SLOT.findall(template))
        if not names <= self.words.keys():
            return None
        filled = _SLOT.sub(lambda slot: self.words[slot[1]], template)
        # Match complete words: none begins before the match, and none continues behind it.
        return re.compile(rf"(?<![\w-])(?:{filled})(?:(?<!\w)|(?!\w))", re.IGNORECASE)

    def has(self, name: str, text: str) -> bool:
        """Check whether the text has one of the words with this name."""
        rule = self.pattern(f"{{{name}}}")
        return rule is not None and rule.search(text) is not None

    def number(self, word: str) -> int:
        """Read a number, in digits or as a word up to twenty; "a single" is 1."""
        word = word.casefold()
        dozen = self.pattern("{dozen}")
        if dozen and dozen.fullmatch(word):
            return 12
        if word.isdigit():
            return int(word)
        return self.numbers.index(word) + 1 if word in self.numbers else 1

    def date(self, text: str) -> Date:
        """Read a date that matched {date}; or month and day, without a year, of {day_or_month}."""
        year = re.search(_YEAR, text)
        rest = text.replace(year[0], " ", 1) if year else text
        parts = [int(year[0])] if year else []
        named = (self._month(word) for word in re.findall(r"[^\W\d_]+", rest))
        month = next((number for number in named if number), None)
        digits = [int(number) for number in re.findall(r"\d+", rest)]
        if month:
            return (*parts, month, *digits[:1])
        return (*parts, *digits[:2])

    def _month(self, word: str) -> int | None:
        """Return the number of a month by its name or the first three letters."""
        start = word.casefold()[:3]
        found = (number for number, name in enumerate(self.months, 1) if name[:3] == start)
        return next(found, None) if len(word) >= 3 else None


_LANGUAGES = {"de": "german"}  # by ISO 639-1 code; all other languages use English


def lexicon_of(code: str | None) -> Lexicon:
    """Return a language's lexicon by its ISO 639-1 code, the English one by default."""
    return lexicon(_LANGUAGES.get(code or "", "english"))


def language_of_papers(question: str) -> str | None:
    """Return the language whose word for papers, and no English one, a question has; or None."""
    if lexicon().has("papers", question):
        return None
    codes = (code for code, name in _LANGUAGES.items() if lexicon(name).has("papers", question))
    return next(codes, None)


@cache
def lexicon(language: str = "english") -> Lexicon:
    """Read a lexicon from this folder."""
    path = Path(__file__).with_name(f"{language}.toml")
    given = tomllib.loads(path.read_text(encoding="utf-8"))
    months, numbers = tuple(given["months"]), tuple(given["numbers"])
    words = _dates(months, given["ordinal_ending"])
    # An entry may use the entries above it, so the order of the file matters.
    for name, alternatives in given["words"].items():
        joined = "|".join(alternatives)
        words[name] = f"(?:{_SLOT.sub(lambda slot: words[slot[1]], joined)})"
    numerals = [*numbers, *given["words"].get("a_single", ()), *given["words"].get("dozen", ())]
    words["number"] = rf"(?:(?<![\d,.])\d{{1,4}}|{'|'.join(numerals)})"
    words["ordinal"] = f"(?:{'|'.join(given['ordinals'])})"
    words["name"] = _NAME
    return Lexicon(given["language"], months, numbers, tuple(given["ordinals"]), words)


def _dates(months: tuple[str, ...], ending: str) -> dict[str, str]:
    """Build the expressions for dates: day, month or year; and day or month without a year."""
    month = rf"(?:(?:{'|'.join(months)}|{'|'.join(name[:3] for name in months)})\.?)(?!\w)"
    day = rf"\d{{1,2}}(?:{ending})?"
    months_and_days = [
        rf"{month} {day},? {_YEAR}",
        rf"{day} (?:of )?{month},? {_YEAR}",
        rf"{month},?(?: of)? {_YEAR}",
    ]
    iso = rf"{_YEAR}-\d\d(?:-\d\d)?"
    return {
        "year": _YEAR,
        "month": month,
        "day": day,
        "date": f"(?:{'|'.join([*months_and_days, iso, _YEAR])})",
        "full_date": f"(?:{'|'.join([*months_and_days, iso])})",
        "day_or_month": rf"(?:{month}(?: {day})?|{day} (?:of )?{month})",
    }
