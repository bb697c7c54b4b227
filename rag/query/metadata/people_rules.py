"""Rules for authors, organisations and categories: "by Yann LeCun", "from OpenBMB", "cs.RO"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from rag.query.metadata.rules import Meaning, Reading, Rule
from rag.records import ByAuthor, ByOrganisation, InCategory

_LEAST = 3  # letters of a family name without a first name


def _organisation(reading: Reading) -> Meaning | None:
    """Read the longest beginning of the name that an organisation of the library has."""
    known = list(reading.known.organisations())
    words = reading["name"].split()
    for end in range(len(words), 0, -1):
        name = " ".join(words[:end]).rstrip(".,'’")
        if any(_names_organisation(name, organisation) for organisation in known):
            return ByOrganisation(name)
    return None


def _names_organisation(name: str, organisation: str) -> bool:
    """Check whether a name is the organisation's, or a distinctive word of it (OpenBMB)."""
    equal = fold(name) == fold(organisation)
    distinctive = re.search(r"\w[A-Z]", name) is not None
    return equal or (distinctive and fold(name) in map(fold, organisation.split()))


def _author(reading: Reading) -> Meaning | None:
    """Read a name that authors of the library have, or that must be a person's."""
    name = reading["name"].rstrip(".,'’")
    if _organisation(reading) is not None:
        return None
    if known := people_called(name, reading.known.authors()):
        return ByAuthor(name, known)
    first, *rest = name.split()
    of_papers = reading["papers"] or reading["verb"]
    return ByAuthor(name) if rest and of_papers and not re.search(r"\w[A-Z]|\d", first) else None


def people_called(name: str, authors: Iterable[str]) -> tuple[str, ...]:
    """Return the authors that a name may mean: by full name, initials, or family name alone."""
    wanted = fold(name).replace(".", " ").split()
    return tuple(sorted({author for author in authors if _may_mean(wanted, author)}))


def _may_mean(wanted: list[str], author: str) -> bool:
    given = fold(author).replace(".", " ").split()
    if not wanted or not given or wanted[-1] != given[-1]:
        return False
    firsts, known = wanted[:-1], given[:-1]
    if not firsts:
        return len(wanted[-1]) >= _LEAST
    # "Y. LeCun" may be "Yann LeCun", and vice versa; middle names may be missing.
    return bool(known) and (known[0].startswith(firsts[0]) or firsts[0].startswith(known[0]))


def fold(text: str) -> str:
    """Return a text without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


RULES = [
    Rule(
        "organisation",
        "(?:{papers} )?(?:{published} )?{from_organisation} (?P<name>{name}(?: (?:(?:of|for|and"
        "|the) )+{name})*)",
        _organisation,
        {
            "papers by OpenBMB": ByOrganisation("OpenBMB"),
            "what has Google DeepMind done? papers from Google DeepMind": ByOrganisation(
                "Google DeepMind"
            ),
        },
        ("papers by Facebook", "the map of Paris"),
    ),
    Rule(
        "author",
        "(?:(?P<papers>{papers}) )?(?P<verb>{wrote_verbs} )?{by_author} (?P<name>{name})",
        _author,
        {
            "papers by Yann LeCun": ByAuthor("Yann LeCun", ("Yann LeCun",)),
            "anything co-authored by Y. LeCun?": ByAuthor("Y. LeCun", ("Yann LeCun",)),
            "papers by Jürgen Schmidhuber": ByAuthor("Jürgen Schmidhuber", ("Jurgen Schmidhuber",)),
            "papers by Ada Lovelace": ByAuthor("Ada Lovelace"),
        },
        ("Is GLOW trained with Adam?", "papers by OpenBMB", "papers from March 2024"),
    ),
    Rule(
        "author.has_written",
        "{has_written} (?P<papers>)(?P<name>{name}) {write}",
        _author,
        {"what has Yann LeCun written?": ByAuthor("Yann LeCun", ("Yann LeCun",))},
        ("What has GLOW done?", "what did they publish"),
    ),
    Rule(
        "category",
        "(?:in )?(?P<name>(?-i:[a-z]{2,}(?:-[a-z]+)?\\.[A-Z][A-Z]))(?: {papers})?",
        lambda reading: InCategory(reading["name"]),
        {"cs.RO papers on grasping": InCategory("cs.RO")},
        ("as in e.g. this",),
    ),
]
