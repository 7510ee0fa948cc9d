"""Suites: named sets of environment ids, with the fingerprints that make a figure comparable."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

from awm_gym.allowed import AllowList
from awm_gym.errors import UsageError, shown, unknown
from awm_gym.gates.certificate import VERSION
from awm_gym.library import NAMESPACE, open_playable
from awm_gym.live import Playable
from awm_gym.places import root
from awm_gym.scenario import snake_case


@dataclass(frozen=True)
class Suite:
    """A named set of scenarios.

    Attributes:
        name: its name, that of its file.
        file: where it stands.
        title: what it is for.
        gates: the version of the gates that all of them passed.
        fingerprints: name or id of a scenario (`practice-17`) -> the fingerprint of its content.
    """

    name: str
    file: Path
    title: str
    gates: int
    fingerprints: dict[str, str]

    @property
    def ids(self) -> tuple[str, ...]:
        """Gymnasium ids, in order."""
        return tuple(f"{NAMESPACE}/{name}" for name in self.fingerprints)

    @property
    def certified(self) -> bool:
        """Whether the gates of this version passed all of them."""
        return self.gates == VERSION

    def only(self, allowed: AllowList) -> Suite:
        """The suite without the scenarios of which no task is on a list."""
        listed = {allowed.fingerprints[name] for name, tasks in allowed.chosen.items() if tasks}
        kept = {name: mark for name, mark in self.fingerprints.items() if mark in listed}
        return replace(self, fingerprints=kept)

    def open(self, name: str) -> Playable:
        """A scenario of the suite, if it is still the one that the suite means.

        Raises:
            UsageError: the suite has none of that name, or what is made today is another.
        """
        if name not in self.fingerprints:
            raise UsageError(unknown(f"scenario in {self.name}", name, self.fingerprints))
        scenario = open_playable(name)
        if scenario.fingerprint != self.fingerprints[name]:
            raise UsageError(
                f"The suite {self.name} means another {name}: its fingerprint is {self.fingerprints[name][:12]}, "
                f"not {scenario.fingerprint[:12]}. Figures do not compare; see awm-gym suite {self.name} --fix."
            )
        return scenario


def suite_names() -> tuple[str, ...]:
    """Names of the suites, sorted."""
    return tuple(sorted(path.stem for path in (root() / "suites").glob("*.toml")))


def suite(name: str) -> Suite:
    """A suite by its name, or by the path of its file.

    Raises:
        UsageError: there is none, or its file is malformed.
    """
    path = root() / "suites" / f"{name}.toml" if name in suite_names() else Path(name)
    if path.suffix != ".toml" or not path.is_file():
        raise UsageError(unknown("suite", name, suite_names()) + " Or give the path of a suite's file.")
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        fingerprints = {str(key): str(value) for key, value in document["scenarios"].items()}
        return Suite(snake_case(path.stem), path, str(document["title"]), int(document["gates"]), fingerprints)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"{path} is no suite ({shown(str(error))}); it has title, gates, and a table [scenarios]"
        raise UsageError(problem) from None


def write(made: Suite) -> None:
    """Write a suite's file.

    Raises:
        UsageError: it cannot be written.
    """
    lines = [f'title = "{made.title}"', f"gates = {made.gates}", "", "[scenarios]"]
    lines += [f'{name} = "{fingerprint}"' for name, fingerprint in made.fingerprints.items()]
    try:
        made.file.write_text("\n".join(lines) + "\n", "utf-8")
    except OSError as error:
        raise UsageError(f"{made.file} cannot be written: {error.strerror}") from error
