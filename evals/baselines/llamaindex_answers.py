"""Baseline: answers by LlamaIndex, with citations (CitationQueryEngine) or plain (as_query_engine).

    python evals/baselines/llamaindex_answers.py REQUEST.json RUN.jsonl [plain]

Both use the index of llamaindex.py and keep their defaults. The engine with citations uses three
nodes, split into numbered sources of at most 512 tokens, and its own prompt with an example. The
plain engine uses two nodes and writes no citation markers. The language model is served by any
OpenAI-compatible server, with temperature 0.
"""

from __future__ import annotations

import re
import sys
from typing import Any

from contract import Answerer, Request, Said, run_answers
from llama_index.core.query_engine import CitationQueryEngine
from llama_index.llms.openai_like import OpenAILike
from llamaindex import PACKAGES, index_of

_PLAIN = "plain"


def build(request: Request, *, plain: bool) -> Answerer:
    """Index the papers; return an engine that answers."""
    index, _, settings = index_of(request)
    assert request.llm is not None, "this baseline needs a language model: the key llm is missing"
    llm = OpenAILike(
        model=request.llm.model,
        api_base=request.llm.base_url,
        api_key=request.llm.key,
        is_chat_model=True,
        context_window=request.llm.context,
        max_tokens=request.llm.max_tokens,
        temperature=0.0,
        timeout=600.0,
    )
    engine: Any = (
        index.as_query_engine(llm=llm) if plain else CitationQueryEngine.from_args(index, llm=llm)
    )

    def answer(text: str) -> Said:
        response = engine.query(text)
        sources = [str(hit.node.ref_doc_id) for hit in response.source_nodes]
        said = str(response)
        # The plain engine writes no citation markers, so every sentence cites all sources.
        return Said(_marked(said, len(sources)) if plain else said, sources)

    return Answerer({**settings, "llm": request.llm.model, "engine": type(engine).__name__}, answer)


def _marked(text: str, sources: int) -> str:
    """Add the citation markers of all sources to each sentence."""
    marks = "".join(f"[{number}]" for number in range(1, sources + 1))
    return re.sub(r"(?<=[.!?])(?=\s|$)", f" {marks}", text)


if __name__ == "__main__":
    is_plain = sys.argv[3:] == [_PLAIN]
    del sys.argv[3:]
    name = "llamaindex-plain" if is_plain else "llamaindex-citations"
    run_answers(
        name,
        (*PACKAGES, "llama-index-llms-openai-like"),
        lambda asked: build(asked, plain=is_plain),
    )
