"""Collect an answer's events; shared by the ask path, the command line and the page."""

from __future__ import annotations

from dataclasses import dataclass, field

from rag.records.answers import (
    Citation,
    Declined,
    Excluded,
    Judged,
    Notice,
    Said,
    Statement,
    Written,
    citations_of,
)


@dataclass(slots=True)
class Progress:
    """An unfinished answer; `add` takes the events in their order."""

    notices: list[str] = field(default_factory=list)
    refusal: str | None = None
    answerability: float = 1.0
    statements: list[Statement] = field(default_factory=list)
    excluded: list[Excluded] = field(default_factory=list)
    made_by: str = ""
    counts: dict[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The sentences so far, with their citation numbers."""
        return "\n".join(statement.marked for statement in self.statements)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """The citations of the sentences so far."""
        return citations_of(self.statements)

    def add(self, event: Said) -> None:
        """Add one event."""
        match event:
            case Statement():
                self.statements.append(event)
            case Notice(text):
                self.notices.append(text)
            case Excluded():
                self.excluded.append(event)
            case Declined(reason):
                self.refusal = reason
            case Judged(answerability, calibrated, yes):
                self.answerability = answerability
                self.counts |= {"calibrated_answerability": calibrated, "model_yes": yes}
            case Written():
                self.made_by = f"{event.model}, prompts {event.prompts}, form {event.form}"
                for name, number in _counts(event).items():
                    # The time to the first token is that of the first request.
                    first = name == "first_token_ms" and name in self.counts
                    self.counts[name] = (
                        self.counts[name] if first else self.counts.get(name, 0) + number
                    )


def _counts(written: Written) -> dict[str, float]:
    """Return the known token counts and times (ms) of a request."""
    counts = {
        "prompt_tokens": written.prompt_tokens,
        "completion_tokens": written.completion_tokens,
        "first_token_ms": written.first_ms,
        "writing_ms": written.writing_ms,
    }
    return {name: number for name, number in counts.items() if number is not None}
