"""A served reranker and cross-encoder: requests, replies, and one-line errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import numpy as np
import pytest

from rag.config import RerankConfig, SupportConfig
from rag.errors import ConfigError, ModelError
from rag.models import open_cross_encoder, open_reranker
from tests.models.local import reply, serving

# As each server names them.
_ROWS: dict[str, Callable[[list[float]], Any]] = {
    "vllm": lambda scores: {
        "results": [{"index": n, "relevance_score": score} for n, score in enumerate(scores)][::-1]
    },
    "llama.cpp": lambda scores: {
        "results": [{"index": n, "relevance_score": score} for n, score in enumerate(scores)]
    },
    "tei": lambda scores: [{"index": n, "score": score} for n, score in enumerate(scores)][::-1],
}
QUESTION, TEXTS = "Where do cats sleep?", ["Dogs bark.", "Cats sleep in the sun.", "Cats purr."]


@contextmanager
def answering(
    say: Callable[[dict[str, Any]], Any],
) -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """A server that answers each request by `say(its body)`; gives its URL and the requests."""
    asked: list[tuple[str, dict[str, Any]]] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        asked.append((request.path, body))
        reply(request, 200, json.dumps(say(body)).encode(), Content_Type="application/json")

    with serving(answer) as url:
        yield f"{url}/v1", asked


def shared_words(question: str, text: str) -> float:
    return float(
        len(set(question.lower().strip("?").split()) & set(text.lower().strip(".").split()))
    )


@pytest.mark.parametrize("kind", _ROWS)
def test_a_reranker_scores_each_text(kind) -> None:
    say = _ROWS[kind]
    with answering(
        lambda body: say([shared_words(body["query"], text) for text in body["documents"]])
    ) as (url, asked):
        reranker = open_reranker(RerankConfig(base_url=url, model="m", api_key="", papers=5))
        np.testing.assert_array_equal(reranker.score(QUESTION, TEXTS), [0, 2, 1])
    [(path, body)] = asked
    assert path == "/v1/rerank"
    assert (
        body["texts"] == body["documents"] == TEXTS
    )  # TEI's name for them, and that of the others
    assert reranker.papers == 5


def test_a_cross_encoder_scores_each_premise_with_the_sentence() -> None:
    def say(body: dict[str, Any]) -> Any:
        pairs = zip(body["text_1"], body["text_2"], strict=True)
        return {
            "data": [
                {"index": n, "score": shared_words(*pair) / 10} for n, pair in enumerate(pairs)
            ]
        }

    with answering(say) as (url, asked):
        cross = open_cross_encoder(
            SupportConfig(base_url=url, model="m", api_key="", max_tokens=100)
        )
        np.testing.assert_allclose(cross.entails(TEXTS, "cats sleep"), [0, 0.2, 0.1])
    assert asked[0][0] == "/v1/score"
    assert cross.max_tokens == 100
    assert cross.count("a premise", "a hypothesis") >= 4


def test_without_a_server_there_is_none() -> None:
    assert open_reranker(RerankConfig(base_url="", model="", api_key="", papers=5)) is None
    assert (
        open_cross_encoder(SupportConfig(base_url="", model="", api_key="", max_tokens=100)) is None
    )


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"results": []}, "returned 0 scores for 3 texts"),
        ({"results": [{"index": 0, "relevance_score": 1.0}]}, "returned 1 scores for 3 texts"),
        ({"results": [{"index": n} for n in range(3)]}, "did not answer|not a number"),
        ({"results": "no"}, "did not answer as an OpenAI-compatible server"),
        ({"error": "no such model"}, "did not answer as an OpenAI-compatible server"),
        (7, "did not answer as an OpenAI-compatible server"),
    ],
)
def test_each_failure_is_one_line(said, message) -> None:
    with answering(lambda _: said) as (url, _):
        reranker = open_reranker(RerankConfig(base_url=url, model="m", api_key="", papers=5))
        with pytest.raises(ModelError, match=message) as raised:
            reranker.score(QUESTION, TEXTS)
    assert str(raised.value).startswith(f"{url}/rerank ")
    assert "\n" not in str(raised.value)


def test_scores_that_are_no_probabilities_are_refused() -> None:
    with answering(lambda body: {"data": [{"index": n, "score": 3.5} for n in range(3)]}) as (
        url,
        _,
    ):
        cross = open_cross_encoder(
            SupportConfig(base_url=url, model="m", api_key="", max_tokens=100)
        )
        with pytest.raises(ModelError, match=r"support\.base_url returns scores outside 0 to 1"):
            cross.entails(TEXTS, "cats sleep")


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1/v1"])
def test_a_wrong_url_is_named(url) -> None:
    with pytest.raises(ConfigError, match=r"rerank\.base_url must be the URL of a server"):
        open_reranker(RerankConfig(base_url=url, model="m", api_key="", papers=5))
