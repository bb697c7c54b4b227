"""Baseline: answers by PaperQA's Docs.aquery: evidence summarised chunk by chunk, then an answer with citation keys.

Its defaults are kept (ten pieces of evidence, five sources, its prompts) but for the language model, which is any
OpenAI-compatible server's at temperature 0, and the number of requests at once, 1, since the server takes one.
"""

from __future__ import annotations

import re

from contract import Answerer, Request, Said, run_answers
from paperqa_docs import PACKAGES, docs_of, settings_of

_KEYS = re.compile(r"\((?:[^()]*\bpqac-\w{8}\b[^()]*)\)")
_KEY = re.compile(r"\bpqac-\w{8}\b")


def build(request: Request) -> Answerer:
    """Add every paper to a Docs, and let it answer."""
    assert request.llm is not None, "this baseline answers, and needs a language model"
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
