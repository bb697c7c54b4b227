"""The library inside a LlamaIndex program."""

from llama_index.core.schema import MetadataMode

from rag.integrations.llama_index import PaperRetriever


def test_a_llama_index_retriever(demo) -> None:
    nodes = PaperRetriever(demo, k=3).retrieve("density ratios in reinforcement learning")
    assert len(nodes) == 3
    hits = demo.search("density ratios in reinforcement learning", 3)
    for node, hit in zip(nodes, hits, strict=True):
        assert node.node.node_id == hit.passage.id
        assert node.node.get_content(MetadataMode.NONE) == hit.text
        paper = demo.paper(node.metadata["paper_id"])
        assert paper.text[node.node.start_char_idx : node.node.end_char_idx] == hit.text
        assert node.score == hit.score
