"""Every rule of the table reads its examples, and leaves its near misses alone."""

from datetime import date

import pytest

from rag.query.metadata.lexicon import lexicon
from rag.query.metadata.parse import RULES
from rag.query.metadata.rules import Known, Rule, find, matches

KNOWN = Known(
    lambda: ["OpenBMB", "Google DeepMind"],
    lambda: ["Yann LeCun", "Jurgen Schmidhuber"],
    lambda phrase: phrase.endswith("labels"),
    date(2026, 11, 28),
)
EXAMPLES = [
    pytest.param(rule, sentence, meaning, id=f"{rule.name}: {sentence}")
    for rule in RULES
    for sentence, meaning in rule.reads.items()
]
NEAR_MISSES = [
    pytest.param(rule, sentence, id=f"{rule.name}: {sentence}")
    for rule in RULES
    for sentence in rule.leaves
]


def test_every_rule_has_a_name_an_example_and_a_near_miss() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert [rule.name for rule in RULES if not (rule.reads and rule.leaves)] == []


def test_every_rule_is_tried_in_english() -> None:
    assert [rule.name for rule in RULES if lexicon().pattern(rule.pattern) is None] == []


@pytest.mark.parametrize(("rule", "sentence", "meaning"), EXAMPLES)
def test_a_rule_reads_its_examples(rule: Rule, sentence: str, meaning: object) -> None:
    spans = find(RULES, sentence, lexicon(), KNOWN)
    own = [item for span in spans if span.rule == rule.name for item in span.meanings]
    assert own == (list(meaning) if isinstance(meaning, tuple) else [meaning])


@pytest.mark.parametrize(("rule", "sentence"), NEAR_MISSES)
def test_a_rule_leaves_its_near_misses(rule: Rule, sentence: str) -> None:
    spans = find(RULES, sentence, lexicon(), KNOWN)
    assert rule.name not in {span.rule for span in spans}


@pytest.mark.parametrize(("rule", "sentence", "meaning"), EXAMPLES)
def test_no_two_rules_claim_the_same_words(rule: Rule, sentence: str, meaning: object) -> None:
    own = {(span.start, span.end) for span in matches(rule, sentence, lexicon(), KNOWN)}
    others = [
        other.name
        for other in RULES
        if other is not rule
        for span in matches(other, sentence, lexicon(), KNOWN)
        if (span.start, span.end) in own
    ]
    assert others == []
