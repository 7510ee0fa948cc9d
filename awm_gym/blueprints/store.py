"""Scenarios on demand: made from a blueprint and a seed when they are first asked for, and kept on disk."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections import OrderedDict
from functools import cache, lru_cache
from pathlib import Path

import apsw

from awm_gym import places
from awm_gym.blueprints.engine import MAX_SEED, generate
from awm_gym.blueprints.folder import FILES as BLUEPRINT_FILES
from awm_gym.blueprints.folder import Blueprint
from awm_gym.errors import ScenarioError, UsageError, unknown
from awm_gym.files import digest, parse, read, save
from awm_gym.scenario import Scenario

KEPT = 64  # scenarios that stay in memory
_ID = re.compile(r"([a-z][a-z0-9_]*)-(0|[1-9][0-9]{0,9})")
_MARK = "digest.json"  # beside a kept scenario's files: what their bytes must be
_recent: OrderedDict[tuple[str, int], Scenario] = OrderedDict()


def own_folder() -> Path:
    """Where blueprints of the user's are kept: their names are ids too."""
    return places.home() / "blueprints"


def folders() -> dict[str, Path]:
    """Folders of the library's blueprints, and of the user's, by name, sorted. The library's own come first."""
    found: dict[str, Path] = {}
    for place in (own_folder(), places.root() / "blueprints"):
        found |= {entry.parent.name: entry.parent for entry in place.glob(f"*/{BLUEPRINT_FILES[0]}")}
    return dict(sorted(found.items()))


def names() -> tuple[str, ...]:
    """Names of the library's blueprints and of the user's, sorted."""
    return tuple(folders())


@lru_cache(maxsize=64)
def blueprint(name: str) -> Blueprint:
    """A blueprint of the library by its name, any other by the path of its folder.

    Raises:
        UsageError: there is none.
        ScenarioError: it is malformed.
    """
    if (folder := folders().get(name)) is not None:
        return Blueprint(folder)
    try:
        if (Path(name) / BLUEPRINT_FILES[0]).is_file():
            return Blueprint(name)
    except (OSError, ValueError):  # a NUL, or a name too long for the file system
        pass
    raise UsageError(unknown("blueprint", name, names()) + " Or give the path of a blueprint's folder.")


def parsed(id: str) -> tuple[str, int] | None:
    """The blueprint and the seed that an id such as `practice-17` means; None if there is no such blueprint."""
    match = _ID.fullmatch(id)
    if match is None or match[1] not in names() or int(match[2]) > MAX_SEED:
        return None
    return match[1], int(match[2])


def scenario(name: str, seed: int, *, keep: bool = True) -> Scenario:
    """The scenario of a blueprint and a seed.

    Args:
        name: a blueprint of the library, or a folder.
        seed: the seed.
        keep: whether to write it to disk for the next process.

    Raises:
        UsageError: there is no such blueprint, or the seed is out of range.
        ScenarioError: the blueprint is malformed, or this seed shows a fault of it.
    """
    found = _recent.get((name, seed))
    if found is None:
        made = blueprint(name)
        folder = _folder(made, seed)
        found = _kept(folder)
        if found is None:
            found = sound(made, seed)
            if keep:
                _keep(found, folder)
        _recent[name, seed] = found
        if len(_recent) > KEPT:
            _recent.popitem(last=False)
    _recent.move_to_end((name, seed))
    return found


def sound(made: Blueprint, seed: int) -> Scenario:
    """Make the scenario of a seed, and believe it only if the blueprint shows no fault.

    Raises:
        ScenarioError: the seed shows a fault of the blueprint.
    """
    result = generate(made, seed)
    if result.faults:
        more = f" (and {len(result.faults) - 1} more)" if len(result.faults) > 1 else ""
        raise ScenarioError(
            f"the seed {seed} shows a fault of the blueprint: {result.faults[0]}{more}", scenario=made.name
        )
    return result.scenario


def folder(name: str, seed: int) -> Path:
    """The folder on disk of a blueprint's scenario, written if it is not there.

    Raises:
        UsageError: it cannot be written.
        UsageError, ScenarioError: as `scenario`.
    """
    place = _folder(blueprint(name), seed)
    found = scenario(name, seed)
    if _kept(place) is None and not _keep(found, place):
        raise UsageError(f"{place} cannot be written; set {places.HOME} to a folder that can.")
    return place / found.name


def _folder(made: Blueprint, seed: int) -> Path:
    """Where a scenario is kept: by what it is made of."""
    key = hashlib.sha256(f"{made.fingerprint} {engine_digest()}".encode()).hexdigest()[:16]
    return places.cache() / "generated" / f"{made.name}-{seed}-{key}"


@cache
def engine_digest() -> str:
    """Which engine this is: another may make other scenarios of the same seed."""
    content = hashlib.sha256(apsw.sqlite_lib_version().encode())
    package = Path(__file__).parent
    for path in sorted([*package.glob("*.py"), *package.parent.glob("*.py")]):
        content.update(path.read_bytes())
    return content.hexdigest()


def _kept(place: Path) -> Scenario | None:
    """A scenario as it was kept; None if it was not, or its bytes are not those that were written."""
    try:
        mark = json.loads((place / _MARK).read_text("utf-8"))
        texts = read(place / mark["name"])
        return parse(texts) if digest(texts) == mark["digest"] else None
    except (OSError, ValueError, KeyError, TypeError, ScenarioError):
        return None


def _keep(made: Scenario, place: Path) -> bool:
    """Write a scenario down, whole or not at all. A disk that is full or closed costs only time."""
    part = ""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        part = tempfile.mkdtemp(prefix=".part-", dir=place.parent)
        save(made, Path(part) / made.name)
        mark = {"name": made.name, "digest": digest(read(Path(part) / made.name))}
        (Path(part) / _MARK).write_text(json.dumps(mark), "utf-8")
        if place.exists():
            shutil.rmtree(place)
        os.replace(part, place)
    except (OSError, ScenarioError):
        shutil.rmtree(part, ignore_errors=True)
        return _kept(place) is not None  # another process may have been faster
    return True
