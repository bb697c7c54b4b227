"""Where the pages are served."""

from __future__ import annotations

import socket

import pytest

from rag.errors import InputError
from ui.server import Address


def test_an_address_that_is_not_ours_is_one_clear_line() -> None:
    with pytest.raises(InputError, match=r"can't be served at 192\.0\.2\.1 .*--host"):
        Address(host="192.0.2.1").checked()


def test_a_port_that_is_taken_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"127.0.0.1:{port} .*in use"):
            Address(port=port).checked()
    assert Address(port=port).checked().port == port


def test_a_page_on_the_internet_has_a_password() -> None:
    with pytest.raises(InputError, match="--auth"):
        Address(share=True).checked()
