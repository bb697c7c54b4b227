"""Replies of a real vLLM that serves a reranker and a cross-encoder."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

from rag.config import RerankConfig, SupportConfig
from rag.models import open_cross_encoder, open_reranker
from tests.llm.served import VLLM, Server
from tests.llm.tiny import make_model

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not VLLM, reason="needs a vLLM: set PAPERS_VLLM to the path of its command"),
]
# Random weights, served like Qwen3's rerankers: the score compares two next words.
_OVERRIDES = {
    "architectures": ["Qwen2ForSequenceClassification"],
    "classifier_from_token": ["a", "b"],
    "method": "from_2_way_softmax",
    "num_labels": 1,
}
TEXTS = ["Density ratios in reinforcement learning.", "Grokking.", "A cat sat on the mat."]


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    model = make_model(tmp_path_factory.mktemp("pooling"))
    server = Server(model, flags=["--runner", "pooling", "--hf-overrides", json.dumps(_OVERRIDES)])
    server.start()
    yield f"{server.root}/v1"
    server.stop()


def test_it_scores_papers_and_pairs(url) -> None:
    reranker = open_reranker(RerankConfig(base_url=url, model="tiny", api_key="", papers=5))
    scores = reranker.score("What are density ratios?", TEXTS)
    assert scores.shape == (3,)
    assert len(set(scores.tolist())) == 3
    # The score of a text does not depend on its place in the request.
    np.testing.assert_allclose(
        reranker.score("What are density ratios?", TEXTS[::-1]), scores[::-1], atol=1e-4
    )
    cross = open_cross_encoder(
        SupportConfig(base_url=url, model="tiny", api_key="", max_tokens=512)
    )
    entailed = cross.entails(TEXTS, "Density ratios are learned.")
    assert ((entailed > 0) & (entailed < 1)).all()
    np.testing.assert_allclose(
        cross.entails(TEXTS[1:], "Density ratios are learned."), entailed[1:], atol=1e-4
    )
