"""Baseline: the retrieval of PaperQA, which its evidence gathering starts with.

Queries go to Docs.retrieve_texts, the call by which Docs.aget_evidence picks the chunks that it then has summarised;
texts_index_mmr_lambda stays at its default, 1.0, which turns the MMR reordering off. retrieve_texts gives no scores:
the score here is 1 / the rank of the chunk.
"""

from __future__ import annotations

from contract import Engine, Ranking, Request, best_papers, run
from paperqa_docs import PACKAGES, docs_of, settings_of


def build(request: Request) -> Engine:
    """Add every paper to a Docs."""
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
