"""The library as a LlamaIndex retriever, for programs that are built with LlamaIndex."""

from __future__ import annotations

from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from rag.assistant import Assistant
from rag.records import Hit


class PaperRetriever(BaseRetriever):
    """Retrieves passages from an assistant's library, one per paper.

    A node's id is the passage's id. Its start and end offsets count code points of the paper's text
    (`Paper.text`).
    """

    def __init__(self, assistant: Assistant, k: int = 10) -> None:
        super().__init__()
        self._assistant, self._k = assistant, k

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [_node(hit) for hit in self._assistant.search(query_bundle.query_str, self._k)]


def _node(hit: Hit) -> NodeWithScore:
    paper, passage = hit.paper, hit.passage
    node = TextNode(
        id_=passage.id,
        text=hit.text,
        start_char_idx=passage.start,
        end_char_idx=passage.end,
        metadata={
            "paper_id": paper.id,
            "title": paper.title,
            "published": str(paper.published) if paper.published else None,
        },
    )
    return NodeWithScore(node=node, score=hit.score)
