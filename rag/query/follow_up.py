"""Follow-up questions: what they refer to, by rules over the turns before them.

A question that leans on earlier turns ("and offline?", "how do they train it?") keeps their topic; one that stands
by itself changes it. Where the last answer cited papers, "the second one", "[2]", "it" and "which of them" mean those
papers, and only they are searched.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.query.spelling import correct
from rag.records import Turn

_WORDS = (
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
)
_DIGITS = ("1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th", "9th", "10th")
_THING = r"(?:one|paper|article|work|study|result|method|approach)"
_THEM = r"(?:them|these|those)(?: (?:papers|ones|works))?"
_END = r"(?=\s*(?:\?|$))"
# "The first paper on grokking" asks for the oldest one; "the second one" points to a list.
_ORDINAL = re.compile(
    rf"\b(?:the )?({'|'.join(_WORDS + _DIGITS)}|last)"
    rf"(?: {_THING}\b(?! (?:on|about|to|that|which|ever))| of {_THEM}\b|{_END})",
    re.IGNORECASE,
)
_MARK = re.compile(
    r"(?:\b(?:paper|source|number|mark) )?\[(\d{1,3})\]|\b(?:paper|source) (?:number )?(\d{1,2})\b",
    re.IGNORECASE,
)
_PAIR = re.compile(r"\bthe (former|latter)(?: (?:one|paper))?\b", re.IGNORECASE)
_SOME = re.compile(
    r"\b(?:which|any|how many|what|all|one|some|none|each|both|either|neither|most|among|between|newest|latest|oldest"
    r"|earliest)"
    rf"(?: of)? {_THEM}\b|\b(?:these|those) (?:\w+ )?(?:papers|works)\b|\bboth\b(?! (?:the|a|an)\b)"
    r"|\bthe (?:two|three|four|five)(?=\s*(?:[?.,!]|$))",
    re.IGNORECASE,
)
# "Is it possible to ..." points to nothing.
_FACTS_OF_IT = r"(?: (?:is|was))?(?: (?:possible|true|known|better|worth|enough|hard|easy|necessary|important|takes?))\b"
_IT = re.compile(
    rf"\bits\b|\bit\b(?!{_FACTS_OF_IT})|\b(?:this|that|the|the same) {_THING}\b(?! (?:on|about|that|which|with|for|of))"
    r"|\b(?:this|that)(?=\s*(?:\?|$|,)| (?:is|was|were|does|did|works?|published)\b)",
    re.IGNORECASE,
)
_THEY = re.compile(
    r"\b(?:they|them|theirs?|these|those)\b|\b(?:then|there)(?=\s*[?.,]|$)|\b(?:the|that|this) (?:[\w-]+ )?ones?\b",
    re.IGNORECASE,
)
# What the catalog knows: "how many authors do they have?" is asked of each of the last answer's papers.
_FACTS = re.compile(
    r"\b(?:how many (?:authors|comments)|author counts?|who wrote|published|posted|dates?|organi[sz]ations?)\b",
    re.IGNORECASE,
)
_AUTHORS = re.compile(r"\b(?:they|their)\b", re.IGNORECASE)
# A name ("Barlow Twins", "f-DPO"), or a clause before the one of the pronoun.
_SUBJECT = re.compile(r"(?<=\s)[A-Z]\w+|\w[A-Z\d]|(?:\S+ ){4,}\S+(?:,| and| or| but) ")
_GOES_ON = re.compile(
    r"\s*(?:and|but|so|or|also|then|what about|how about|what of|why|why not|in|on|for|with|without|by|of|at|since"
    r"|after|before|from)\b",
    re.IGNORECASE,
)
# "New topic: how do they balance ...".
_ANEW = re.compile(
    r"\s*(?:(?:and |now |for |a |an )*(?:new|different|another|other|next|unrelated) (?:topic|question|subject|matter)"
    r"|something (?:else|different)|changing (?:the )?(?:topic|subject)|on another note)\s*[:,.;–—-]",
    re.IGNORECASE,
)
# These begin questions of their own.
_OPENS = re.compile(
    r"\s*(?:(?:in|on|for|with|by|of|at|from) (?:which|what|how)|why (?:do|does|did|is|are|was|were|can|should))\b",
    re.IGNORECASE,
)
_FEW_WORDS = 3
_Named = tuple[str, str]  # a paper's id and title


@dataclass(frozen=True, slots=True)
class Standalone:
    """A question freed of the turns before it.

    `shown` is what it was understood as, `asked` the words to search for, `topic` those of earlier turns among them,
    `papers` the ids of the only papers that it is about (empty: all), `scope` says so in words, and `names` has the
    names by which the question itself sets them side by side, with the ids.
    """

    shown: str
    asked: str
    topic: str = ""
    papers: tuple[str, ...] = ()
    scope: str | None = None
    names: tuple[tuple[str, str], ...] = ()

    def unrestricted(self) -> Standalone:
        """About all papers."""
        return replace(self, papers=(), scope=None, names=())

    def corrected(self, word: str, meant: str) -> Standalone:
        """With a misspelt word replaced."""
        shown, asked, topic = (
            correct(text, word, meant) for text in (self.shown, self.asked, self.topic)
        )
        return replace(self, shown=shown, asked=asked, topic=topic)


def stand_alone(question: str, history: Sequence[Turn], longest: int) -> Standalone:
    """Resolve what a question refers to in earlier turns; at most `longest` characters of them are kept."""
    history = _answered(history)
    if not any(turn.role == "user" for turn in history):
        return Standalone(question, question)
    if pointed := _pointed(question, history):
        return pointed
    if not leans(question):
        return Standalone(question, question)
    topic = _topic(history, longest - len(question))
    joined = f"{topic} {question}".strip()
    return Standalone(joined, joined, topic)


def _answered(history: Sequence[Turn]) -> list[Turn]:
    """The history without questions that leaned on earlier ones and found no answer: nothing refers to those."""
    kept: list[Turn] = []
    for turn in history:
        if turn.refused and kept and kept[-1].role == "user" and leans(kept[-1].text):
            kept.pop()
        else:
            kept.append(turn)
    return kept


def leans(question: str) -> bool:
    """Whether a question can't be understood without the turns before it."""
    if _ANEW.match(question):
        return False
    if any(_back(rule, question) for rule in (_IT, _THEY)):
        return True
    if any(rule.search(question) for rule in (_SOME, _PAIR, _ORDINAL, _MARK)):
        return True
    if _GOES_ON.match(question) and not _OPENS.match(question):
        return True
    # "How fast?" has no subject, "What is GLOW?" has one.
    return (
        len(question.split()) <= _FEW_WORDS
        and question.rstrip().endswith("?")
        and question[1:].islower()
    )


def _back(rule: re.Pattern[str], question: str) -> re.Match[str] | None:
    """A pronoun that means something of earlier turns: nothing that the question itself named before it."""
    match = rule.search(question)
    return None if match is None or _SUBJECT.search(question, 0, match.start()) else match


def _topic(history: Sequence[Turn], longest: int) -> str:
    """The user's earlier turns, from the last that stood by itself, as far back as fits."""
    asked: list[str] = []
    for turn in reversed(history):
        text = turn.text.strip()
        if turn.role != "user":
            continue
        if sum(map(len, asked)) + len(text) > longest:
            break
        asked.insert(0, text)
        if not leans(text):
            break
    return " ".join(asked)


def _pointed(question: str, history: Sequence[Turn]) -> Standalone | None:
    """The question about papers of the last answer, or None where it points to none."""
    last = next((turn for turn in reversed(history) if turn.role == "assistant"), None)
    titles = {one.paper_id: one.title for one in last.citations} if last else {}
    if found := _marked(question, history) or _one_of(question, list(titles.items())):
        (identity, title), match = found
        shown = f"{question[: match.start()]}“{title}”{_owning(match[0])}{question[match.end() :]}"
        # What pointed is no word to search for.
        asked = f"{question[: match.start()]}it{question[match.end() :]}"
        return Standalone(shown, asked, "", (identity,), f"only “{title}”")
    if len(titles) > 1 and (
        _SOME.search(question) or (_THEY.search(question) and _FACTS.search(question))
    ):
        scope = f"only the {len(titles)} papers of the last answer"
        return Standalone(f"{question} ({scope})", question, "", tuple(titles), scope)
    return None


def _marked(question: str, history: Sequence[Turn]) -> tuple[_Named, re.Match[str]] | None:
    """The paper of a mark that a question names, and the words that do; a mark means the same in all of the turns."""
    if not (match := _MARK.search(question)):
        return None
    wanted = int(match[1] or match[2])
    cited = (one for turn in reversed(history) for one in turn.citations)
    return next((((one.paper_id, one.title), match) for one in cited if one.mark == wanted), None)


def _one_of(question: str, papers: Sequence[_Named]) -> tuple[_Named, re.Match[str]] | None:
    """The one of the last answer's papers that a question points to, and the words that do."""
    if not papers or _MARK.search(question):
        return None
    if len(papers) == 1:
        match = _back(_IT, question) or _back(_AUTHORS, question)
        return (papers[0], match) if match else None
    if (match := _PAIR.search(question)) and len(papers) == 2:
        return papers[match[1].lower() == "latter"], match
    if match := _ORDINAL.search(question):
        word = match[1].lower()
        place = (
            len(papers) - 1
            if word == "last"
            else (_WORDS if word in _WORDS else _DIGITS).index(word)
        )
        return (papers[place], match) if place < len(papers) else None
    return None


def _owning(word: str) -> str:
    return "’s" if word.lower() in ("its", "their") else ""
