"""Questions over scientific papers, answered with the exact sentences that support each claim."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# Nothing leaves the machine unasked. onnxruntime reads its switch when it is imported, so it is set before that.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from rag.assistant import Assistant

__all__ = ["Assistant", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # `import rag` stays instant: the assistant brings numpy and pydantic.
    if name == "Assistant":
        from rag.assistant import Assistant

        return Assistant
    raise AttributeError(f"module 'rag' has no attribute {name!r}")
