"""Baseline: the retrieval of PaperQA, which is the first step of its evidence gathering.

Queries use Docs.retrieve_texts. Docs.aget_evidence makes the same call to select the chunks for its
summaries. texts_index_mmr_lambda keeps its default, 1.0, which turns off the reordering by maximal
marginal relevance (MMR). retrieve_texts returns no scores, so the score is 1 / rank of the chunk.
"""

from __future__ import annotations

from contract import Engine, Ranking, Request, best_papers, run
from paperqa_docs import PACKAGES, docs_of, settings_of


def build(request: Request) -> Engine:
    """Add every paper to a Docs; return an engine that retrieves."""
    settings = settings_of(request)
    embedder = settings.get_embedding_model()
    docs, runner = docs_of(request, settings, embedder)

    def chunks(text: str, depth: int) -> Ranking:
        found = runner.run(
            docs.retrieve_texts(text, depth, settings=settings, embedding_model=embedder)
        )
        return [(chunk.doc.dockey, 1 / rank) for rank, chunk in enumerate(found, start=1)]

    def search(text: str, k: int) -> Ranking:
        return best_papers(lambda depth: chunks(text, depth), len(docs.texts), k)

    record = {
        "model": request.model,
        "embedding": type(embedder).__name__,
        "reader_config": settings.parsing.reader_config,
        "texts_index_mmr_lambda": settings.texts_index_mmr_lambda,
        "chunks": len(docs.texts),
        "score": "1 / rank",
    }
    return Engine(record, search)


if __name__ == "__main__":
    run("paperqa", PACKAGES, build)
