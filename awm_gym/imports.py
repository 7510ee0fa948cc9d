"""The imports of a user: folders of AgentWorldModel data whose scenarios `gym.make` knows by name.

Nothing is copied: a list in the user's library says where the folders lie.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from awm_gym import places
from awm_gym.errors import UsageError, shown, unknown
from awm_gym.formats.awm.index import Index
from awm_gym.imported import Imported, Terms, opened

_FILE = "imports.json"
_NAME = re.compile(r"[a-z0-9_]{1,128}")
_FEW = 5  # names that an error tells


class Import(NamedTuple):
    """An imported folder.

    Attributes:
        directory: where it lies.
        scenarios: name to open it by -> id in the folder.
    """

    directory: Path
    scenarios: Mapping[str, str]


def add(index: Index, prefix: str = "", taken: Collection[str] = ()) -> Import:
    """Remember a folder. What was remembered of the same folder before is forgotten.

    Args:
        index: of the folder.
        prefix: set before the ids of its scenarios.
        taken: names that mean something else.

    Raises:
        UsageError: two scenarios would have one name; the prefix is no beginning of a name; it cannot be written.
    """
    if prefix and not _NAME.fullmatch(prefix):
        raise UsageError(f"the prefix {shown(prefix)} must be lower case letters, digits and _, such as mended_")
    made = Import(index.directory.resolve(), {f"{prefix}{entry}": entry for entry in index.entries})
    others = [one for one in imports() if one.directory != made.directory]
    owners = {name: f"imported from {one.directory}" for one in others for name in one.scenarios}
    owners |= dict.fromkeys(taken, "of the library")
    if both := [name for name in made.scenarios if name in owners]:
        few = "; ".join(f"{name} is {owners[name]}" for name in both[:_FEW])
        raise UsageError(f"{len(both)} names are taken: {few}. Give --prefix, such as --prefix x_, or forget the other")
    _write([*others, made])
    return made


def forget(directory: str | Path) -> Import:
    """Forget a folder; its files stay.

    Raises:
        UsageError: it was not imported.
    """
    path = Path(directory).resolve()
    found = {str(one.directory): one for one in imports()}
    if str(path) not in found:
        raise UsageError(unknown("imported folder", str(path), found))
    _write([one for one in imports() if one.directory != path])
    return found[str(path)]


def imports() -> tuple[Import, ...]:
    """All that is imported, in the order in which it was.

    Raises:
        UsageError: the list is damaged.
    """
    path = _path()
    try:
        mark = path.stat()
    except OSError:
        return ()
    return _read(path, (mark.st_mtime_ns, mark.st_size))


def known(name: str) -> bool:
    """Whether a name is that of an imported scenario. A list that is damaged is told when it is opened."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None and _found(name) is not None


def open_imported(name: str, terms: Terms) -> Imported | None:
    """Open an imported scenario; None if there is none of that name.

    Raises:
        UsageError: its folder is not where it was, or what is in it has changed.
        ScenarioError: the data are malformed, the application does not start, or no task has a verifier.
        SandboxUnavailable: this machine cannot lock up generated code.
    """
    found = _found(name)
    if found is None:
        return None
    if not found.directory.is_dir():
        problem = f"the data of {name} lay in {found.directory}, which is not there any more"
        raise UsageError(f"{problem}; import it from where it is: awm-gym awm import DIR")
    index = Index.of(found.directory)
    return opened(index, index.entry(found.scenarios[name]).name, name, terms)


def _found(name: str) -> Import | None:
    return next((one for one in imports() if name in one.scenarios), None)


def _path() -> Path:
    return places.home() / "awm" / _FILE


@lru_cache(maxsize=4)
def _read(path: Path, _mark: tuple[int, int]) -> tuple[Import, ...]:
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
        return tuple(Import(Path(row["directory"]), dict(row["scenarios"])) for row in rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"{path} is damaged ({shown(str(error))})"
        raise UsageError(f"{problem}; remove it, and import your data again") from None


def _write(found: list[Import]) -> None:
    path = _path()
    rows = [{"directory": str(one.directory), "scenarios": dict(one.scenarios)} for one in found]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(rows, indent=1), "utf-8")
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
