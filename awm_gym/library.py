"""The library: scenarios that come with the package and those of the user, certificates, and Gymnasium ids."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, WrapperSpec

from awm_gym import imports
from awm_gym.blueprints import store
from awm_gym.errors import ScenarioError, UsageError, unknown
from awm_gym.files import FILES, digest, load, read
from awm_gym.gates.certificate import VERSION, Certificate
from awm_gym.imported import Terms
from awm_gym.live import Playable
from awm_gym.places import home, root
from awm_gym.scenario import Scenario

NAMESPACE = "awm"
CERTIFICATE = "certificate.json"
MAX_EPISODE_STEPS = 30  # tool calls of an episode, unless `gym.make(..., max_episode_steps=)` says otherwise
_ENTRY_POINT = "awm_gym.env:ToolEnv"
_TRUNCATION = WrapperSpec("TruncationOutcome", "awm_gym.env:TruncationOutcome", {})


def folders() -> dict[str, Path]:
    """Folders of the library by name, sorted, certified or not."""
    return {entry.parent.name: entry.parent for entry in sorted((root() / "scenarios").glob(f"*/{FILES[0]}"))}


@lru_cache(maxsize=1)
def _standing() -> dict[str, str]:
    return {name: doubt(folder) for name, folder in folders().items()}


def names() -> tuple[str, ...]:
    """Names of the library's certified scenarios, sorted."""
    return tuple(name for name, problem in _standing().items() if not problem)


def uncertified() -> dict[str, str]:
    """The library's other scenarios: name -> why they are not registered."""
    return {name: problem for name, problem in _standing().items() if problem}


def own_folder() -> Path:
    """Where scenarios that the user made are kept: `gym.make` finds them there by their name."""
    return home() / "scenarios"


def own(scenario: str) -> Path | None:
    """The folder of a scenario of the user's; None if there is none of that name."""
    if re.fullmatch(r"[a-z][a-z0-9_]{0,63}", scenario) and (own_folder() / scenario / FILES[0]).is_file():
        return own_folder() / scenario
    return None


def own_names() -> tuple[str, ...]:
    """Names of the user's certified scenarios, sorted. All their files are read, so this may take a while."""
    found = (entry.parent for entry in sorted(own_folder().glob(f"*/{FILES[0]}")))
    return tuple(folder.name for folder in found if not doubt(folder))


def doubt(folder: Path) -> str:
    """Why a scenario's certificate does not vouch for it; "" if it does."""
    try:
        certificate = Certificate.from_json((folder / CERTIFICATE).read_text("utf-8"))
        if certificate.files != digest(read(folder)):
            return "its files have changed since it was certified"
    except OSError:
        return "it has no certificate"
    except (UsageError, ScenarioError, UnicodeDecodeError) as error:
        return str(error)
    if certificate.gates != VERSION:
        return f"its certificate is of version {certificate.gates} of the gates, these are {VERSION}"
    return "" if certificate.passed else "its certificate has findings"


def find(scenario: str) -> Path:
    """The folder of a scenario: one of the library by its name or id, any other by its path.

    Raises:
        UsageError: there is none, or the library's own is not certified.
        ScenarioError: its blueprint has a fault.
    """
    if (made := store.parsed(scenario)) is not None:
        return store.folder(*made)
    if scenario in names():
        return root() / "scenarios" / scenario
    if (folder := folders().get(scenario) or own(scenario)) is not None:
        if problem := _standing().get(scenario) or doubt(folder):
            raise UsageError(f"The scenario {scenario} is not certified: {problem}. See awm-gym check {scenario}.")
        return folder
    try:
        if Path(scenario).is_dir():
            return Path(scenario)
    except (OSError, ValueError):  # a NUL, or a name too long for the file system
        pass
    if imports.known(scenario):
        problem = f"{scenario} is imported data, and this takes scenarios of ours only"
        raise UsageError(f"{problem}. It can be made, shown and played; awm-gym awm audit tells what it is worth")
    if os.sep in scenario:
        raise UsageError(f"There is no scenario folder {scenario[:200]!r}.")
    hint = " Or give the path of a scenario's folder."
    if scenario.partition("-")[0] in store.names():
        raise UsageError(f"{scenario!r} is no id; a blueprint's are {scenario.partition('-')[0]}-0, -1, -2 ..." + hint)
    others = (name for one in imports.imports() for name in one.scenarios)
    known = [*names(), *(f"{name}-0" for name in store.names()), *others]
    raise UsageError(unknown("scenario", scenario, known) + hint)


def open_scenario(scenario: str) -> Scenario:
    """Load a scenario by name or folder. It is read again only if its files have changed.

    Raises:
        UsageError: there is none.
        ScenarioError: it is malformed.
    """
    if (made := store.parsed(scenario)) is not None:
        return store.scenario(*made)
    folder = find(scenario)
    try:
        marks = tuple((folder / name).stat() for name in FILES)
    except OSError as error:
        missing = Path(str(error.filename)).name
        raise ScenarioError("cannot be read (it is missing)", file=missing, scenario=str(folder)) from error
    return _load(str(folder.resolve()), tuple((mark.st_mtime_ns, mark.st_size) for mark in marks))


def open_playable(scenario: str, generated: Terms | Mapping[str, Any] | None = None) -> Playable:
    """Load a scenario by name or folder, or open one of imported data.

    Args:
        scenario: as for `open_scenario`, or the name of imported data.
        generated: with imported data, how its code is run.

    Raises:
        UsageError: there is none.
        ScenarioError: it is malformed, or its application does not start.
        SandboxUnavailable: this machine cannot lock up generated code.
        EnvironmentFault: an application ends its worker or takes too long to start.
    """
    if scenario in names() or store.parsed(scenario) is not None:  # whatever the list of imports is like
        return open_scenario(scenario)
    return imports.open_imported(scenario, Terms.of(generated)) or open_scenario(scenario)


def taken() -> set[str]:
    """Names that imported data may not have: they mean something else."""
    return {*folders(), *store.names(), *(entry.parent.name for entry in own_folder().glob(f"*/{FILES[0]}")), "Task"}


def is_blueprint(scenario: str) -> bool:
    """Whether a name means a blueprint, or a path the folder of one."""
    if scenario in names():
        return False
    try:
        return scenario in store.names() or (Path(scenario) / "blueprint.toml").is_file()
    except (OSError, ValueError):  # a NUL, or a name too long for the file system
        return False


def made_scenario(blueprint: str, seed: int, *, keep: bool = True) -> Scenario:
    """The scenario of a blueprint and a seed; `keep` it on disk for the next process.

    Raises:
        UsageError: there is no such blueprint, or the seed is out of range.
        ScenarioError: the blueprint is malformed, or this seed shows a fault of it.
    """
    return store.scenario(blueprint, seed, keep=keep)


@lru_cache(maxsize=256)
def _load(folder: str, _marks: tuple[tuple[int, int], ...]) -> Scenario:
    return load(folder)


def register() -> None:
    """Register `awm/<scenario>` for what is certified, `awm/<blueprint>`, `awm/<blueprint>-<seed>`, and `awm/Task`.

    `awm/Task` takes content outside the library.
    """
    for name in names():
        _register(f"{NAMESPACE}/{name}", {"scenario": name})
    for name in store.names():
        _register(f"{NAMESPACE}/{name}", {"scenario": name})
    _register(f"{NAMESPACE}/Task", {})
    _register_without_end()


def _register(id: str, kwargs: dict[str, str]) -> None:
    if id not in gym.registry:
        gym.registry[id] = _spec(id, kwargs)


def _spec(id: str, kwargs: dict[str, str]) -> EnvSpec:
    return EnvSpec(
        id=id,
        entry_point=_ENTRY_POINT,
        max_episode_steps=MAX_EPISODE_STEPS,
        kwargs=dict(kwargs),
        additional_wrappers=(_TRUNCATION,),
    )


def _exists(name: str) -> bool:
    return store.parsed(name) is not None or own(name) is not None or imports.known(name)


class _Registry(dict[str, EnvSpec]):
    """Gymnasium's registry, which also knows the ids of scenarios that are yet to be made, and of the user's own.

    `gym.make` asks the registry by `get`, and has no other hook for ids without number. What is registered, listed
    and counted is as before.
    """

    def get(self, id: str, default: EnvSpec | None = None) -> EnvSpec | None:  # type: ignore[override]
        found = super().get(id, default)
        namespace, _, name = id.partition("/") if isinstance(id, str) else ("", "", "")
        if found is None and namespace == NAMESPACE and _exists(name):
            return _spec(id, {"scenario": name})
        return found


def _register_without_end() -> None:
    if not isinstance(gym.registry, _Registry):
        registry = _Registry(gym.registry)
        gym.registry = gym.envs.registration.registry = gym.envs.registry = registry
