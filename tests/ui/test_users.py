"""Password files."""

import stat
from pathlib import Path

import pytest

from rag.errors import InputError
from ui.users import Users, keep_user


def test_a_user_is_admitted_by_their_own_password_only(tmp_path: Path) -> None:
    file = tmp_path / "users"
    keep_user(file, "anna", "correct horse")
    keep_user(file, "ben", "battery staple")
    users = Users.read(file)
    assert users.verify("anna", "correct horse")
    assert not users.verify("anna", "battery staple")
    assert not users.verify("nobody", "correct horse")
    assert not users.verify("anna", "x" * 100)
    assert "horse" not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_new_password_takes_the_place_of_the_old(tmp_path: Path) -> None:
    file = tmp_path / "users"
    keep_user(file, "anna", "correct horse")
    keep_user(file, "anna", "battery staple")
    assert Users.read(file).verify("anna", "battery staple")
    assert not Users.read(file).verify("anna", "correct horse")
    assert len(file.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("anna:secret\n", "line 1: must be NAME:HASH"),
        ("# nobody\n\n", "has no users"),
        (None, "can't be read"),
    ],
)
def test_a_bad_password_file_is_one_clear_line(
    tmp_path: Path, content: str | None, why: str
) -> None:
    file = tmp_path / "users"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=why):
        Users.read(file)


@pytest.mark.parametrize(
    ("name", "password"), [("a:b", "long enough"), ("", "long enough"), ("anna", "short")]
)
def test_bad_names_and_passwords_are_refused(tmp_path: Path, name: str, password: str) -> None:
    with pytest.raises(InputError):
        keep_user(tmp_path / "users", name, password)
    assert not (tmp_path / "users").exists()
