"""Where things are kept: what comes with the package, what the user makes, what can be made again."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
from functools import cache as once
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from platformdirs import user_cache_dir, user_data_dir

HOME = "AWM_GYM_HOME"  # the environment variable that moves what is kept for a user to one folder


def root() -> Path:
    """The folder `envs_data`: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).parent
    inside = package / "envs_data"
    return inside if inside.is_dir() else package.parent / "envs_data"


def home() -> Path:
    """The user's own library: `AWM_GYM_HOME`, or the platform's folder for data."""
    chosen = os.environ.get(HOME)
    return Path(chosen) if chosen else Path(user_data_dir("awm_gym", appauthor=False))


def cache() -> Path:
    """What can be made again: `AWM_GYM_HOME`/cache, or the platform's folder for caches."""
    chosen = os.environ.get(HOME)
    return Path(chosen) / "cache" if chosen else Path(user_cache_dir("awm_gym", appauthor=False))


@once
def code_digest(*packages: str) -> str:
    """SHA-256 over the package's own code, this Python and what is installed: what other code has made is no use.

    Args:
        packages: names of packages on whose version the results depend, too.
    """
    versions = (sys.version, sqlite3.sqlite_version, *map(_version, packages))
    content = hashlib.sha256(" ".join(versions).encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        content.update(path.read_bytes())
    return content.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
