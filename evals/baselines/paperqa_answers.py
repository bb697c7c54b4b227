"""Baseline: PaperQA's Docs.aquery, which summarises each chunk and then answers with citation keys.

It keeps the defaults (ten pieces of evidence, five sources, PaperQA's prompts), except the language
model, which is served by any OpenAI-compatible server with temperature 0, and the number of
parallel requests, which is 1 because the server accepts one at a time.
"""

from __future__ import annotations

import re

from contract import Answerer, Request, Said, run_answers
from paperqa_docs import PACKAGES, docs_of, settings_of

# PaperQA cites context ids in parentheses, such as "(pqac-0123abcd, pqac-4567cdef)".
_KEYS = re.compile(r"\((?:[^()]*\bpqac-\w{8}\b[^()]*)\)")
_KEY = re.compile(r"\bpqac-\w{8}\b")


def build(request: Request) -> Answerer:
    """Add every paper to a Docs; return an engine that answers."""
    assert request.llm is not None, "this baseline needs a language model: the key llm is missing"
    name = f"openai/{request.llm.model}"
    server = {
        "api_base": request.llm.base_url,
        "api_key": request.llm.key,
        "temperature": 0.0,
        "timeout": 600.0,
    }
    parameters = {"model": name, "max_tokens": request.llm.max_tokens, **server}
    config = {"name": name, "model_list": [{"model_name": name, "litellm_params": parameters}]}
    model = {"llm": name, "llm_config": config, "summary_llm": name, "summary_llm_config": config}
    settings = settings_of(request, temperature=0.0, **model, answer={"max_concurrent_requests": 1})
    embedder = settings.get_embedding_model()
    docs, runner = docs_of(request, settings, embedder)

    def answer(text: str) -> Said:
        session = runner.run(docs.aquery(text, settings=settings, embedding_model=embedder))
        papers = {context.id: context.text.doc.dockey for context in session.contexts}
        numbers = {key: number for number, key in enumerate(papers, start=1)}

        def mark(keys: re.Match[str]) -> str:
            return "".join(f"[{numbers[key]}]" for key in _KEY.findall(keys[0]) if key in numbers)

        return Said(_KEYS.sub(mark, session.raw_answer), list(papers.values()))

    return Answerer(
        {"model": request.model, "llm": name, "answer": settings.answer.model_dump()}, answer
    )


if __name__ == "__main__":
    run_answers("paperqa", PACKAGES, build)
