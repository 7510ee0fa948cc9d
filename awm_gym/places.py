"""Where things are kept: what comes with the package, what the user makes, what can be made again."""

from __future__ import annotations

import os
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
