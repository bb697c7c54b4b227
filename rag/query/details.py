"""Details that abstracts seldom state: licences, hardware, hyper-parameters, scores.

In a question for a detail all other words match the paper, so the search's scores can't show that
the detail is missing. Words for the detail in the paper's text show it better.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# Each line is one type of detail: a paper with any of its words states the detail.
_DETAILS = r"""
    licen[cs]\w*
    conferences?|venues?|journals?|workshops?|presented|accepted
    funded|funding|grants?
    github|codes?|repositor(?:y|ies)|links?|urls?|download\w*|https?
    released?
    institut\w+|universit\w+|affiliat\w+
    gpus?|tpus?|hardware
    hours?|days?|weeks?|minutes?
    batch(?:es|\ sizes?)?
    learning\ rates?
    optimi[sz]ers?
    epochs?
    seeds?
    dropout
    hidden\ (?:size|units?|dimensions?)
    hyper-?parameters?
    memory|vram
    costs?|dollars?|prices?
    carbon|co2|energy
    annotators?|participants?|raters?
    languages?
    baselines?
    resolution|pixels?
    rollouts?
    parameters?
    vocabular\w+
    complexity
    regret
    p-values?|significan\w+
    percent\w*|%
    (?<!learning\ )rates?
    scores?
    errors?
    accura\w+
    recall
    precision
    f1
    perplexit\w+
    psnr
    ssim
    lpips
    fid
    bleu
    rouge
    map
    auroc
    ndcg
    iou|miou
    rmse
    """.strip().splitlines()
_RULES = [
    re.compile(rf"(?<![\w-])(?:{words})(?!\w)", re.IGNORECASE | re.VERBOSE) for words in _DETAILS
]


def details(question: str) -> Mapping[str, re.Pattern[str]]:
    """Map the question's words for details to the patterns of papers that state them."""
    found = ((rule.search(question), rule) for rule in _RULES)
    return {match[0]: rule for match, rule in found if match and not _in_a_name(match)}


def _in_a_name(match: re.Match[str]) -> bool:
    """Check whether the word is part of a name: "the Vendi Score"."""
    return match.start() > 0 and match[0].istitle()
