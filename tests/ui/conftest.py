"""What the tests of the pages share."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from rag.records import Paper, PublishedDate, Sighting

HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>${alert(3)}{{alert(4)}}\u202e"onmouseover=alert(5) '


@pytest.fixture
def service_of():
    """Makes the service of an assistant, as far as the pages need one."""
    return lambda assistant: SimpleNamespace(assistant=assistant, adding=threading.Lock())


def paper(title="A title", **fields) -> Paper:
    """A paper with one sighting; `published` is (year, month, day) as far as known, `comments` that of the sighting."""
    date = fields.pop("published", None)
    seen = Sighting(
        fields.pop("source", "/pages/one.txt"), 7, fields.pop("printed", None), fields.pop("comments", None)
    )
    published = PublishedDate(*date, inferred=fields.pop("inferred", False)) if date else None
    return Paper(f"p-{title.lower().replace(' ', '-')}", title, published=published, sightings=(seen,), **fields)
