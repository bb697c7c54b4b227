"""Turn hits into an answer, or into a refusal that says why the papers do not answer."""

from rag.answer.abstention import refusal_text
from rag.answer.abstracts import abstracts_reply
from rag.answer.comparison import comparison_reply
from rag.answer.extractive.quotations import Extractive
from rag.answer.generated.synthesis import Generated
from rag.answer.metadata.library_overview import overview_reply
from rag.answer.metadata.metadata_answers import filters_of, metadata_reply
from rag.answer.reply import Pipeline, Reply
from rag.answer.synthesizer import Synthesizer

__all__ = [
    "Extractive",
    "Generated",
    "Pipeline",
    "Reply",
    "Synthesizer",
    "abstracts_reply",
    "comparison_reply",
    "filters_of",
    "metadata_reply",
    "overview_reply",
    "refusal_text",
]
