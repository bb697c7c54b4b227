"""Who may log in: a file of names and bcrypt hashes, as `htpasswd -B` writes it."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import bcrypt

from rag.errors import InputError

_LONGEST = 72  # bytes that bcrypt reads


@dataclass(frozen=True, slots=True)
class Users:
    """Names and the hashes of their passwords."""

    hashes: Mapping[str, bytes]

    @classmethod
    def read(cls, path: Path) -> Users:
        """Read a file with a line `name:hash` for each user. Raises InputError."""
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"the password file {path} can't be read: {error}") from None
        hashes: dict[str, bytes] = {}
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.startswith("#"):
                continue
            name, colon, hashed = line.partition(":")
            if not (colon and name and hashed.startswith(("$2a$", "$2b$", "$2y$"))):
                raise InputError(
                    f"{path}, line {number}: must be NAME:HASH with a bcrypt hash; `rag user` writes it"
                )
            hashes[name] = hashed.strip().encode()
        if not hashes:
            raise InputError(
                f"the password file {path} names nobody; `rag user {path} NAME` adds one"
            )
        return cls(hashes)

    def admits(self, name: str, password: str) -> bool:
        """Whether this is the name's password; takes as long for a name that nobody has."""
        given = password.encode()
        if len(given) > _LONGEST:
            return False
        # In place of nobody's hash that of somebody, always the same one: hashes of one file may differ in their cost.
        others = list(self.hashes.values())
        stranger = others[zlib.crc32(name.encode()) % len(others)]
        return bcrypt.checkpw(given, self.hashes.get(name, stranger)) and name in self.hashes


def keep_user(path: Path, name: str, password: str) -> None:
    """Write a user's password into the file, in place of an earlier one. Raises InputError."""
    if not name or ":" in name or name != name.strip() or not name.isprintable():
        raise InputError(f"{name!r} is no user name: it must be printable and hold no colon")
    if not len(password) >= 8 or len(password.encode()) > _LONGEST:
        raise InputError(f"a password must have 8 characters or more, and at most {_LONGEST} bytes")
    kept = dict(Users.read(path).hashes) if path.exists() else {}
    kept[name] = bcrypt.hashpw(password.encode(), bcrypt.gensalt())
    lines = "".join(f"{one}:{hashed.decode()}\n" for one, hashed in kept.items())
    beside = path.with_name(f"{path.name}.new")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(lines)
        beside.replace(path)
    except OSError as error:
        raise InputError(f"the password file {path} can't be written: {error.strerror}") from None
