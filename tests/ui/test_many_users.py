"""Twenty readers at once, over the protocol that the page speaks."""

from __future__ import annotations

import json
import threading
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.processes
READERS, QUESTIONS = 20, 10


class Reader:
    """One browser's worth of requests."""

    def __init__(self, url: str, number: int) -> None:
        self.http = httpx.Client(base_url=f"{url}gradio_api/", timeout=300)
        self.config = httpx.get(f"{url}config").json()
        self.session, self.token = f"session{number}", f"reader-{number:02d}-{'x' * 20}"
        self.states: list[str] = []

    def ask(self, question: str, conversation: str, number: int) -> dict[str, Any]:
        """The last state of the turn."""
        event = next(
            event for event in self.config["dependencies"] if event["targets"][0][1] == "ask"
        )
        sent = {
            "question": question,
            "conversation": conversation,
            "number": number,
            "run": "r",
            "scope": {},
        }
        body = {
            "data": [self.token],
            "event_data": sent,
            "fn_index": event["id"],
            "session_hash": self.session,
        }
        event_id = self.http.post("queue/join", json=body).raise_for_status().json()["event_id"]
        turn: dict[str, Any] = {}
        with self.http.stream("GET", "queue/data", params={"session_hash": self.session}) as stream:
            for line in stream.iter_lines():
                if not line.startswith("data:"):
                    continue
                said = json.loads(line[5:])
                if said.get("event_id") not in (event_id, None):
                    continue
                if said["msg"] in {"process_generating", "process_completed"} and said.get(
                    "success", True
                ):
                    data = said["output"]["data"]
                    turn = _patched(turn, data[0]) if data else turn
                    self.states.append(turn["turn"]["body"])
                if said["msg"] in {"process_completed", "close_stream"}:
                    return turn["turn"]
        raise AssertionError("the stream ended early")


def _patched(value: Any, sent: Any) -> Any:
    """The value, or the last one changed as the server says: it sends only differences."""
    if not (
        isinstance(sent, list)
        and all(isinstance(change, list) and len(change) == 3 for change in sent)
    ):
        return sent
    for action, path, new in sent:
        if not path:
            value = new if action == "replace" else value + new
            continue
        target = value
        for key in path[:-1]:
            target = target[key]
        if action == "append":
            target[path[-1]] += new
        elif action == "delete":
            del target[path[-1]]
        else:
            target[path[-1]] = new
    return value


def test_every_answer_arrives_where_it_belongs(demo_copy, serve) -> None:
    server = serve(demo_copy)
    readers = [Reader(server.url, number) for number in range(READERS)]
    wrongs: list[str] = []

    def talk(number: int, reader: Reader) -> None:
        conversation = ""
        try:
            for turn in range(1, QUESTIONS + 1):
                question = (
                    f"Which papers study density ratios, asks reader {number} for time {turn}?"
                )
                answer = reader.ask(question, conversation, turn)
                conversation = answer["conversation"]
                if f"reader {number} for time {turn}" not in answer["body"] or not answer["over"]:
                    wrongs.append(f"reader {number}, turn {turn}: {answer['body'][:200]}")
        except (httpx.HTTPError, KeyError, ValueError, AssertionError) as error:
            wrongs.append(f"reader {number}: {error!r}")

    threads = [
        threading.Thread(target=talk, args=(number, reader))
        for number, reader in enumerate(readers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(280)
    assert wrongs == []
    # Two are answered at once, so most had to wait and were shown their place in the queue.
    assert any("ahead of yours" in state for reader in readers for state in reader.states)
    from rag.conversations.journal import Journal

    journal = Journal(demo_copy)
    for number in range(READERS):
        [conversation] = journal.conversations(f"browser:{readers[number].token}")
        asked = [
            turn.answer.question
            for turn in journal.turns(f"browser:{readers[number].token}", conversation.id)
        ]
        assert len(asked) == QUESTIONS
        assert all(f"reader {number} " in question for question in asked)
