"""The way in and out where names and passwords are asked for."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.ui.conftest import HOSTILE
from tests.ui.test_ask_page import ask, ready, serious
from ui.users import keep_user

pytestmark = pytest.mark.browser


def test_a_password_is_asked_for_and_names_own_their_conversations(
    demo_copy, serve, visit, tmp_path, shoot
) -> None:
    file = tmp_path / "users"
    for name in ("anna", "ben"):
        keep_user(file, name, f"{name} knows it")
    server = serve(demo_copy, "--auth", str(file))
    page = visit(server.url)
    page.wait_for_selector("input[type=password]")
    shoot(page, "login")
    assert serious(page, ".login") == []
    assert page.locator("#ask-page").count() == 0
    log_in(page, "anna")
    ask(page)
    other = visit(server.url)
    other.wait_for_selector("input[type=password]")
    log_in(other, "ben")
    assert other.locator(".talks-list li").count() == 0
    again = visit(server.url)
    again.wait_for_selector("input[type=password]")
    log_in(again, "anna")
    again.wait_for_selector(".talks-list li")
    shoot(again, "logged-in")
    again.get_by_role("link", name="Log out").click()
    again.wait_for_selector("input[type=password]")
    again.goto(page.url)
    again.wait_for_selector("input[type=password]")
    assert page.locator(".talks-list li").count() == 1  # the same name, logged in elsewhere
    ask(page)


def test_wrong_passwords_are_reported_and_five_of_them_require_a_wait(
    demo_copy, serve, visit, tmp_path, shoot
) -> None:
    file = tmp_path / "users"
    keep_user(file, "anna", "anna knows it")
    server = serve(demo_copy, "--auth", str(file))
    page = visit(server.url)
    for name in ("anna", HOSTILE, "nobody", "anna", "anna"):
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill("a guess")
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("alert").wait_for()
        assert page.get_by_role("alert").inner_text() == "The name or the password is wrong."
        assert page.get_by_label("Name").input_value() == name.strip()
    shoot(page, "wrong-password")
    page.get_by_label("Password").fill("anna knows it")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=5 wrong passwords a minute are allowed; try again in")
    shoot(page, "too-many-passwords")
    refused = httpx.post(
        f"{server.url}login", data={"username": "anna", "password": "anna knows it"}
    )
    assert (refused.status_code, dict(refused.cookies)) == (429, {})
    assert httpx.post(f"{server.url}login", content=b"x" * 10_000).status_code == 429
    for address in ("config", "gradio_api/info", "gradio_api/queue/data"):
        assert httpx.get(f"{server.url}{address}").status_code == 401
    said = server.log.read_text(encoding="utf-8")
    assert "a wrong password for 'anna' from 127.0.0.1" in said
    assert "a guess" not in said


def log_in(page: Any, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(f"{name} knows it")
    page.keyboard.press("Enter")
    ready(page)
