"""Detect the language of a question.

The only module that imports py3langid (Lui and Baldwin 2012, langid.py).
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from rag.library import Library
from rag.text.analysis import analyse

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_WORD = re.compile(r"[^\W\d_]{4,}")
_UNKNOWN = 0.4  # share of words that no paper has; lower for a question in the papers' language
_SURE = 0.6  # probability of the language


def foreign(library: Library, question: str) -> str | None:
    """Return the ISO 639-1 code of a question's language, or None for English.

    Names and misspelt words look foreign too. So an ASCII question must have many words that no
    paper has, and any question a probable language.
    """
    if question.isascii() and not _mostly_unknown(library, question):
        return None  # this saves loading the model
    code, probability = _identifier().classify(question)
    return str(code) if code != "en" and probability >= _SURE else None


def _mostly_unknown(library: Library, question: str) -> bool:
    terms = [term for word in _WORD.findall(question) for term in analyse(word)]
    counts = library.frequencies(sorted(set(terms)))
    return sum(counts[term] == 0 for term in terms) >= _UNKNOWN * len(terms) > 0


@cache
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
