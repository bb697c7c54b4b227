"""Details that an abstract seldom tells: licences, hardware, hyper-parameters, the score by some measure.

A question for one is about its paper in every other word, so what the search sees of it says little; whether the paper
has a word for the detail says more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# Each line is one kind of detail: a paper with any of its words tells of it.
_KINDS = r"""
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
_RULES = [re.compile(rf"(?<![\w-])(?:{kind})(?!\w)", re.IGNORECASE | re.VERBOSE) for kind in _KINDS]


def details(question: str) -> Mapping[str, re.Pattern[str]]:
    """The details that a question asks for: its word, and the words by which a paper would tell of it."""
    found = ((rule.search(question), rule) for rule in _RULES)
    return {match[0]: rule for match, rule in found if match and not _in_a_name(match)}


def _in_a_name(match: re.Match[str]) -> bool:
    """Whether the word is a part of a name: "the Vendi Score"."""
    return match.start() > 0 and match[0].istitle()
