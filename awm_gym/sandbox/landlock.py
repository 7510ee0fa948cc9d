"""Landlock: the kernel's own list of paths and ports that a process may use. Ours is empty."""

from __future__ import annotations

import os
import struct

from awm_gym.sandbox.syscalls import LANDLOCK_CREATE_RULESET, LANDLOCK_RESTRICT_SELF, syscall

_ASK_VERSION = 1
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # how many rights over files a version of Landlock knows; later ones: 16
_PORTS = 0b11  # bind and connect of TCP, since version 4
_SCOPES = 0b11  # abstract unix sockets and signals to outside, since version 6


def version() -> int:
    """The version of Landlock that the kernel speaks.

    Raises:
        OSError: none, or it is switched off.
    """
    return syscall(LANDLOCK_CREATE_RULESET, None, 0, _ASK_VERSION)


def ruleset(spoken: int) -> bytes:
    """All that a version can forbid, as the kernel wants it told."""
    rights = (1 << _FILE_RIGHTS.get(spoken, 16)) - 1
    fields = [rights, *([_PORTS] if spoken >= 4 else []), *([_SCOPES] if spoken >= 6 else [])]
    return struct.pack(f"={len(fields)}Q", *fields)


def install() -> int:
    """Forbid this process, for ever, all that Landlock can forbid. Needs `no_new_privs`. Returns the version.

    Raises:
        OSError: the kernel has no Landlock, or refuses.
    """
    spoken = version()
    forbidden = ruleset(spoken)
    rules = syscall(LANDLOCK_CREATE_RULESET, forbidden, len(forbidden), 0)
    try:
        syscall(LANDLOCK_RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)
    return spoken
