"""Baseline: LlamaIndex with its defaults, as in its quick start for Chroma, with a local embedder.

A VectorStoreIndex with the default node parser, on an in-memory Chroma collection with the default
settings: an HNSW index with squared L2 distance, so the search is approximate. Queries use
as_retriever. No language model is used.
"""

from __future__ import annotations

from typing import Any

import chromadb
from contract import Engine, Ranking, Request, best_papers, run
from llama_index.core import Document, Settings, StorageContext, VectorStoreIndex
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.vector_stores.chroma import ChromaVectorStore

PACKAGES = (
    "llama-index-core",
    "llama-index-embeddings-huggingface",
    "llama-index-vector-stores-chroma",
    "chromadb",
    "sentence-transformers",
    "transformers",
    "torch",
)


def index_of(request: Request) -> tuple[VectorStoreIndex, int, dict[str, Any]]:
    """Split the papers into nodes, embed them, and store them in Chroma.

    Returns the index, the number of nodes, and the settings to record.
    """
    embedder = HuggingFaceEmbedding(model_name=request.model)
    collection = chromadb.EphemeralClient().create_collection("papers")
    store = StorageContext.from_defaults(
        vector_store=ChromaVectorStore(chroma_collection=collection)
    )
    # The id is not metadata, because LlamaIndex embeds metadata with the text.
    documents = [
        Document(id_=paper.id, text=f"{paper.title}\n\n{paper.abstract}")
        for paper in request.papers
    ]
    index = VectorStoreIndex.from_documents(documents, storage_context=store, embed_model=embedder)
    settings = {
        "model": request.model,
        "max_length": embedder.max_length,
        "node_parser": Settings.node_parser.to_dict(),
        "collection": collection.configuration_json,
        "nodes": collection.count(),
    }
    return index, collection.count(), settings


def build(request: Request) -> Engine:
    """Index the papers; return an engine that retrieves."""
    index, nodes, settings = index_of(request)

    def chunks(text: str, depth: int) -> Ranking:
        found = index.as_retriever(similarity_top_k=depth).retrieve(text)
        return [(str(hit.node.ref_doc_id), hit.get_score(raise_error=True)) for hit in found]

    def search(text: str, k: int) -> Ranking:
        return best_papers(lambda depth: chunks(text, depth), nodes, k)

    return Engine(settings, search)


if __name__ == "__main__":
    run("llamaindex", PACKAGES, build)
