"""The password file: names and bcrypt hashes in the format of `htpasswd -B`."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import bcrypt

from rag.errors import InputError

_MAX_BYTES = 72  # bcrypt ignores further bytes of a password


@dataclass(frozen=True, slots=True)
class Users:
    """The users' names, and the hashes of their passwords."""

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
                    f"{path}, line {number}: must be NAME:HASH with a bcrypt hash; write it with "
                    f"`rag user {path} NAME`"
                )
            hashes[name] = hashed.strip().encode()
        if not hashes:
            raise InputError(
                f"the password file {path} has no users; add one with `rag user {path} NAME`"
            )
        return cls(hashes)

    def verify(self, name: str, password: str) -> bool:
        """Check a user's password. The time does not reveal whether the name exists."""
        encoded = password.encode()
        if len(encoded) > _MAX_BYTES:
            return False
        # For an unknown name check some user's hash, so that timing does not reveal which names
        # exist. Always the same hash for a name: the hashes of a file may differ in their cost.
        hashes = list(self.hashes.values())
        substitute = hashes[zlib.crc32(name.encode()) % len(hashes)]
        return bcrypt.checkpw(encoded, self.hashes.get(name, substitute)) and name in self.hashes


def keep_user(path: Path, name: str, password: str) -> None:
    """Set a user's password in the file, which is created if missing. Raises InputError."""
    if not name or ":" in name or name != name.strip() or not name.isprintable():
        raise InputError(
            f"{name!r} is not a valid user name; use printable characters, no colon, and no space "
            "at the start or the end"
        )
    if len(password) < 8 or len(password.encode()) > _MAX_BYTES:
        raise InputError(
            f"a password must have at least 8 characters and at most {_MAX_BYTES} bytes"
        )
    hashes = dict(Users.read(path).hashes) if path.exists() else {}
    hashes[name] = bcrypt.hashpw(password.encode(), bcrypt.gensalt())
    lines = "".join(f"{user}:{hashed.decode()}\n" for user, hashed in hashes.items())
    # Write a new file and rename it, so that the old one is never left half written.
    new = path.with_name(f"{path.name}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(lines)
        new.replace(path)
    except OSError as error:
        raise InputError(f"the password file {path} can't be written: {error.strerror}") from None
