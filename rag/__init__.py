"""Answer questions over scientific papers with the exact sentences that support each claim."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# Nothing is sent from this machine unless the user asks for it. onnxruntime reads this variable
# when it is imported, so it is set here, before the import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from rag.assistant import Assistant

__all__ = ["Assistant", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Import lazily, so that `import rag` is fast: the assistant imports numpy and pydantic.
    if name == "Assistant":
        from rag.assistant import Assistant

        return Assistant
    raise AttributeError(f"module 'rag' has no attribute {name!r}")
