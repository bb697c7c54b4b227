"""Rewrite a follow-up as a standalone question, by rules over the turns before it.

A follow-up ("and offline?", "how do they train it?") keeps the topic of the earlier question; any
other question changes the topic. If the last answer cited papers, "the second one", "[2]", "it" and
"which of them" refer to those papers, and only they are searched.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.query.intent import without_courtesy
from rag.query.metadata.lexicon import lexicon
from rag.query.metadata.parse import parse, topic_of
from rag.query.spelling import correct
from rag.records import NamedPaper, Turn

_WORDS = (
    *("first", "second", "third", "fourth", "fifth"),
    *("sixth", "seventh", "eighth", "ninth", "tenth"),
)
_DIGITS = ("1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th", "9th", "10th")
_THING = r"(?:one|paper|article|work|study|result|method|approach)"
_THEM = r"(?:them|these|those)(?: (?:papers|ones|works))?"
_END = r"(?=\s*(?:\?|$))"
# "The first paper on grokking" asks for the oldest paper; "the second one" refers to a list.
_ORDINAL = re.compile(
    rf"\b(?:the )?({'|'.join(_WORDS + _DIGITS)}|last)"
    rf"(?: {_THING}\b(?! (?:on|about|to|that|which|ever))| of {_THEM}\b)"
    rf"|\bthe ({'|'.join(_WORDS + _DIGITS)}|last){_END}",
    re.IGNORECASE,
)
# A citation number: "[2]", "paper 2".
_MARK = re.compile(
    r"(?:\b(?:paper|source|number|mark) )?\[(\d{1,3})\]|\b(?:paper|source) (?:number )?(\d{1,2})\b",
    re.IGNORECASE,
)
_PAIR = re.compile(r"\bthe (former|latter)(?: (?:one|paper))?\b", re.IGNORECASE)
_SOME = re.compile(
    r"\b(?:which|any|how many|what|all|one|some|none|each|both|either|neither|most|among|between"
    r"|newest|latest|oldest|earliest)"
    rf"(?: of)? {_THEM}\b|\b(?:these|those) (?:\w+ )?(?:papers|works)\b|\bboth\b(?! (?:the|a|an)\b)"
    r"|\bthe (?:two|three|four|five)(?=\s*(?:[?.,!]|$))"
    # "What should I read first?"
    r"|\b(?:read|start with|begin with)(?: first)?(?=\s*\?)",
    re.IGNORECASE,
)
# "Is it possible to ..." refers to nothing.
_FACTS_OF_IT = (
    r"(?: (?:is|was))?"
    r"(?: (?:possible|true|known|better|worth|enough|hard|easy|necessary|important|takes?))\b"
)
# "This method with fewer steps" names its own subject; "this method?" refers back.
_IT = re.compile(
    rf"\bits\b|\bit\b(?!{_FACTS_OF_IT})"
    rf"|\b(?:this|that|the|the same) {_THING}\b(?! (?:on|about|that|which|with|for|of))"
    r"|\b(?:this|that)(?=\s*(?:\?|$|,)| (?:is|was|were|does|did|works?|published)\b)",
    re.IGNORECASE,
)
_THEY = re.compile(
    r"\b(?:they|them|theirs?|these|those)\b|\b(?:then|there)(?=\s*[?.,]|$)"
    r"|\b(?:the|that|this) (?:[\w-]+ )?ones?\b",
    re.IGNORECASE,
)
# Metadata: "how many authors do they have?" refers to each of the last answer's papers.
_FACTS = re.compile(
    r"\b(?:how many (?:authors|comments)|author counts?|who wrote|published|posted|dates?"
    r"|organi[sz]ations?)\b",
    re.IGNORECASE,
)
_AUTHORS = re.compile(r"\b(?:they|their)\b", re.IGNORECASE)
# A name ("Barlow Twins", "f-DPO") or a clause before the pronoun: the pronoun refers to it, not to
# an earlier turn.
_SUBJECT = re.compile(r"(?<=\s)[A-Z]\w+|\w[A-Z\d]|(?:\S+ ){4,}\S+(?:,| and| or| but) ")
_GOES_ON = re.compile(
    r"\s*(?:no,? i meant|i meant|and|but|so|or|also|then|what about|how about|what of|why|why not"
    r"|in|on|for|with|without|by|of|at|since|after|before|from)\b",
    re.IGNORECASE,
)
# "New topic: how do they balance ...".
_NEW_TOPIC = re.compile(
    r"\s*(?:(?:and |now |for |a |an )*(?:new|different|another|other|next|unrelated)"
    r" (?:topic|question|subject|matter)"
    r"|something (?:else|different)|changing (?:the )?(?:topic|subject)|on another note)"
    r"\s*[:,.;–—-]",
    re.IGNORECASE,
)
# These begin standalone questions: "in which ...", "in 2023, which ...", "why does ...".
_OPENS = re.compile(
    r"\s*(?:(?:in|on|for|with|by|of|at|from) (?:which|what|how)"
    r"|(?:in|since|after|before|from) [\w ]{0,12}\d{4}, \w"
    r"|why (?:do|does|did|is|are|was|were|can|should))\b",
    re.IGNORECASE,
)
_FEW_WORDS = 3


@dataclass(frozen=True, slots=True)
class Standalone:
    """A question that needs no turn before it.

    `shown` is what a reader sees, `question` what a language model gets. `own_text` has the
    question's own words to search for, `topic` those of the questions in `earlier`, which it
    continues. `papers` (empty: all) are the only papers to use, and `papers_in_words` describes
    them; `compared` means that the question compares them. `missing` is an id of a paper that the
    library does not have.
    """

    shown: str
    question: str
    own_text: str
    topic: str = ""
    earlier: tuple[str, ...] = ()
    papers: tuple[NamedPaper, ...] = ()
    papers_in_words: str = ""
    compared: bool = False
    missing: str = ""

    @classmethod
    def unchanged(cls, question: str) -> Standalone:
        """Return a question that is already standalone."""
        return cls(question, question, question)

    @property
    def search_text(self) -> str:
        """The words to search for."""
        return f"{self.topic} {self.own_text}".strip()

    def unrestricted(self) -> Standalone:
        """Return the question about all papers."""
        return replace(self, papers=(), papers_in_words="", compared=False)

    def corrected(self, word: str, meant: str) -> Standalone:
        """Return the question with a misspelt word replaced."""
        return replace(
            self,
            shown=correct(self.shown, word, meant),
            question=correct(self.question, word, meant),
            own_text=correct(self.own_text, word, meant),
            topic=correct(self.topic, word, meant),
            earlier=tuple(correct(text, word, meant) for text in self.earlier),
        )


def rewrite(
    question: str, history: Sequence[Turn], longest: int, *, chosen: bool = False
) -> Standalone:
    """Rewrite a question so that it needs no turn before it, with at most `longest` characters.

    `chosen` means that the reader has chosen papers: "its" then refers to them, and the history is
    ignored.
    """
    history = _answered(history)
    if chosen or not any(turn.role == "user" for turn in history):
        return Standalone.unchanged(question)
    if pointed := _pointed(question, history):
        return pointed
    if not is_follow_up(question):
        return Standalone.unchanged(question)
    earlier = _earlier(history, longest)
    topic = _topic(earlier, longest - len(question) - 2)
    joined = f"{topic}: {question}" if topic else question
    return Standalone(joined, joined, question, topic, earlier)


def _answered(history: Sequence[Turn]) -> list[Turn]:
    """Drop follow-ups without an answer: no later question refers to them."""
    kept: list[Turn] = []
    for turn in history:
        if turn.refused and kept and kept[-1].role == "user" and is_follow_up(kept[-1].text):
            kept.pop()
        else:
            kept.append(turn)
    return kept


def is_follow_up(question: str) -> bool:
    """Check whether a question can't be understood without the turns before it."""
    if _NEW_TOPIC.match(question):
        return False
    if any(_points_back(rule, question) for rule in (_IT, _THEY)):
        return True
    if any(rule.search(question) for rule in (_SOME, _PAIR, _ORDINAL, _MARK)):
        return True
    if _GOES_ON.match(question) and not _OPENS.match(question):
        return True
    if _is_condition_alone(question):
        return True
    # "How fast?" has no subject, "What is GLOW?" has one.
    short = len(question.split()) <= _FEW_WORDS and question.rstrip().endswith("?")
    return short and question[1:].islower()


def _is_condition_alone(question: str) -> bool:
    """Check whether a question is a condition or an order and names no papers: "from 2023"."""
    query, words = parse(question), lexicon()
    narrows = bool(query.filters) and not (query.topic or query.asked or query.counted)
    return narrows and not words.has("a_paper_cue", question)


def _points_back(rule: re.Pattern[str], question: str) -> re.Match[str] | None:
    """Find a pronoun, unless the question itself names something before it."""
    match = rule.search(question)
    return None if match is None or _SUBJECT.search(question, 0, match.start()) else match


def _earlier(history: Sequence[Turn], longest: int) -> tuple[str, ...]:
    """Return the user's turns, starting at the last standalone question."""
    asked: list[str] = []
    for turn in reversed(history):
        if turn.role == "user":
            asked.insert(0, without_courtesy(turn.text.strip()[:longest]))
            if not is_follow_up(without_courtesy(turn.text.strip()[:longest])):
                break
    return tuple(asked)


def _topic(earlier: Sequence[str], longest: int) -> str:
    """Return a conversation's topic: the topics of its first question and of the last follow-up.

    Follow-ups between them are left out, so that a topic doesn't grow with the conversation.
    """
    texts = list(dict.fromkeys([*earlier[:1], *earlier[-1:]]))
    topics = [_topic_of_turn(text) for text in texts]
    while topics and sum(map(len, topics)) + len(topics) - 1 > longest:
        topics.pop()
    return " ".join(topic for topic in topics if topic)


def _topic_of_turn(text: str) -> str:
    query = parse(text)
    return query.topic if query else topic_of(text, (), lexicon())


def _pointed(question: str, history: Sequence[Turn]) -> Standalone | None:
    """Return the question about papers of the last answer, or None if it refers to none."""
    last = next((turn for turn in reversed(history) if turn.role == "assistant"), None)
    titles = {citation.paper_id: citation.title for citation in last.citations} if last else {}
    if found := _cited(question, history) or _one_of(question, list(titles.items())):
        (paper_id, title), match = found
        before, after = question[: match.start()], question[match.end() :]
        shown = f"{before}“{title}”{_possessive(match[0])}{after}"
        # The words that refer to the paper ("the second one") are not words to search for.
        own_text = " ".join(f"{before} {after}".split())
        paper = NamedPaper(paper_id, title)
        return Standalone(
            shown, shown, own_text, papers=(paper,), papers_in_words=f"only “{title}”"
        )
    some = _SOME.search(question) or (_THEY.search(question) and _FACTS.search(question))
    if len(titles) > 1 and some:
        words = f"only the {len(titles)} papers of the last answer"
        papers = tuple(NamedPaper(paper_id, title) for paper_id, title in titles.items())
        shown = f"{question} ({words})"
        return Standalone(shown, question, question, papers=papers, papers_in_words=words)
    return None


def _cited(question: str, history: Sequence[Turn]) -> tuple[tuple[str, str], re.Match[str]] | None:
    """Return the id and title of the paper whose citation number a question has, and the match.

    A number means the same paper in all turns of a conversation.
    """
    if not (match := _MARK.search(question)):
        return None
    wanted = int(match[1] or match[2])
    citations = (citation for turn in reversed(history) for citation in turn.citations)
    return next(
        (
            ((citation.paper_id, citation.title), match)
            for citation in citations
            if citation.mark == wanted
        ),
        None,
    )


def _one_of(
    question: str, papers: Sequence[tuple[str, str]]
) -> tuple[tuple[str, str], re.Match[str]] | None:
    """Return the paper of the last answer that a question refers to, and the match."""
    if not papers or _MARK.search(question):
        return None
    if len(papers) == 1:
        match = _points_back(_IT, question) or _points_back(_AUTHORS, question)
        return (papers[0], match) if match else None
    if (match := _PAIR.search(question)) and len(papers) == 2:
        return papers[match[1].lower() == "latter"], match
    if match := _ORDINAL.search(question):
        word = (match[1] or match[2]).lower()
        if word == "last":
            return papers[-1], match
        place = (_WORDS if word in _WORDS else _DIGITS).index(word)
        return (papers[place], match) if place < len(papers) else None
    return None


def _possessive(word: str) -> str:
    return "’s" if word.lower() in ("its", "their") else ""
