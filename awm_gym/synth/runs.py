"""Many scenarios from blueprints, on all cores: folders with their proofs, resumable, told in a table."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from awm_gym import difficulty, processes
from awm_gym.blueprints import store
from awm_gym.errors import AwmError, ScenarioError, UsageError
from awm_gym.files import digest, render, save
from awm_gym.library import CERTIFICATE, doubt
from awm_gym.synth.blueprint import BlueprintAuthor
from awm_gym.synth.pipeline import synthesize, told


class Order(NamedTuple):
    """A scenario to be made."""

    blueprint: str
    seed: int


@dataclass(frozen=True)
class Done:
    """What became of an order.

    Attributes:
        order: the order.
        name: the scenario's name.
        findings: why it was rejected, one a line; none if it was written.
        resumed: whether it stood there already, with its proof.
        figures: those of its certificate.
        calls: per task, the calls of its solution.
        milliseconds: what making it took, without the gates.
    """

    order: Order
    name: str
    findings: tuple[str, ...] = ()
    resumed: bool = False
    figures: dict[str, Any] = field(default_factory=dict)
    calls: tuple[int, ...] = ()
    milliseconds: float = 0.0

    def document(self) -> dict[str, Any]:
        """What programs read."""
        return {
            "scenario": self.name,
            "blueprint": self.order.blueprint,
            "seed": self.order.seed,
            "passed": not self.findings,
            "findings": list(self.findings),
            "figures": self.figures,
        }


def orders(names: Sequence[str], count: int, seed: int) -> list[Order]:
    """Which scenarios to make: the blueprints in turn, each from `seed` upwards.

    Raises:
        UsageError: there is no such blueprint, or none at all.
    """
    chosen = list(dict.fromkeys(names)) or list(store.names())
    if not chosen:
        raise UsageError("The library has no blueprint; give the path of a blueprint's folder.")
    for name in chosen:
        store.blueprint(name)
    return [Order(chosen[place % len(chosen)], seed + place // len(chosen)) for place in range(count)]


def make(order: Order, out: str) -> Done:
    """Make one scenario, prove it, and write its folder; the certificate comes last."""
    name = f"{store.blueprint(order.blueprint).name}_{order.seed}"
    try:
        start = time.perf_counter()
        author = BlueprintAuthor(store.blueprint(order.blueprint), order.seed)
        took = 1000 * (time.perf_counter() - start)
        calls = tuple(figures.calls for figures in difficulty.of(author.made.scenario).values())
        folder = Path(out) / name
        if _stands(folder, digest(render(author.made.scenario))):
            return Done(order, name, resumed=True, calls=calls, milliseconds=took)
        outcome = synthesize(author, name)
        if outcome.scenario is None or outcome.certificate is None:
            return Done(order, name, tuple(told(outcome)) or (outcome.rejected,), milliseconds=took)
        save(outcome.scenario, folder)
        (folder / CERTIFICATE).write_text(outcome.certificate.to_json(), "utf-8")
        return Done(order, name, figures=dict(outcome.certificate.figures), calls=calls, milliseconds=took)
    except ScenarioError as error:
        return Done(order, name, (str(error),))
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}") from error


def _stands(folder: Path, wanted: str) -> bool:
    """Whether a scenario of these bytes stands in a folder, with its proof."""
    try:
        return not doubt(folder) and f'"files": "{wanted}"' in (folder / CERTIFICATE).read_text("utf-8")
    except (OSError, AwmError):
        return False


def make_all(wanted: Sequence[Order], out: str, jobs: int) -> Iterator[Done]:
    """Make scenarios on several cores; each comes as it is done."""
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}") from error
    yield from processes.each(partial(make, out=out), wanted, jobs)


def summary(done: Sequence[Done]) -> list[dict[str, Any]]:
    """A row for each blueprint: what was made, and how large and how long it is."""
    rows = []
    for name in dict.fromkeys(one.order.blueprint for one in sorted(done, key=lambda one: one.order)):
        own = [one for one in done if one.order.blueprint == name]
        calls = sorted(count for one in own for count in one.calls)
        figures = [one.figures for one in own if one.figures]
        rows.append(
            {
                "blueprint": name,
                "scenarios": sum(not one.findings for one in own),
                "rejected": sum(bool(one.findings) for one in own),
                "tables": _span([int(found["tables"]) for found in figures]),
                "rows": _span([int(found["rows"]) for found in figures]),
                "tools": _span([int(found["tools"]) for found in figures]),
                "calls": f"{mean(calls):.1f}, {calls[len(calls) * 9 // 10]}, {calls[-1]}" if calls else "",
                "milliseconds": f"{mean(one.milliseconds for one in own):.0f}",
            }
        )
    return rows


def _span(numbers: Sequence[int]) -> str:
    if not numbers:
        return ""
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low}-{high}"
