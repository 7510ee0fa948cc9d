"""The figures side by side: as JSON for programs, as a table for people."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import apsw
from rich.console import Group
from rich.table import Table
from rich.text import Text

_LABELS = {
    "reset_us": "reset, us",
    "reset_inplace_us": "reset in place, us",
    "step_us": "step: a tool call, us",
    "step_inplace_us": "step in place, us",
    "step_read_us": "  that reads",
    "step_write_us": "  that writes",
    "step_memory_us": "step over framed MCP, us",
    "verify_us": "verify, us",
    "memory_mb": "memory of an environment, MB",
    "steps_per_second": "steps per second",
    "episodes_per_second": "whole episodes per second",
    "make_1024_s": "1,024 environments made and reset, s",
    "reset_1024_ms": "1,024 environments reset again, ms",
    "live_64_s": "64 environments at once, stepped and judged, s",
    "live_64_failures": "  of which fail",
}
_LEGEND = (
    "awm_gym: environments of gym.make in this process; MCP in frames, in memory. {ours}.\n"
    "baseline: a process for each environment, FastAPI under uvicorn, and a file of {baseline} with a commit for every "
    "call. Its reset is the start of the process until it answers, its MCP goes over streamable HTTP, its verifier "
    "works on copies of the files, its memory is what the process holds.\n"
    "Both answered every call with the same rows, and judged alike. Python {python}."
)


@dataclass(frozen=True)
class Report:
    """What was measured on a scenario. The name of a figure ends in its unit.

    Attributes:
        scenario: its name.
        engine: the database engine of the baseline, and its version.
        ours: figures by name.
        baseline: figures of the same names, of one server process for each environment.
        here: the database engine of ours, and its version.
        cores: on how many cores.
        legend: what was done, with places for both engines and the version of Python.
    """

    scenario: str
    engine: str
    ours: Mapping[str, float]
    baseline: Mapping[str, float]
    here: str = f"apsw {apsw.sqlite_lib_version()}"
    cores: str = "one core"
    legend: str = _LEGEND

    @property
    def ratio(self) -> dict[str, float]:
        """How many times better ours is: less time, less memory, more per second."""
        ratios = {}
        for name, ours in self.ours.items():
            baseline = self.baseline.get(name)
            if ours and baseline:
                ratios[name] = ours / baseline if name.endswith("_per_second") else baseline / ours
        return ratios

    def document(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return {
            "scenario": self.scenario,
            "sqlite": {"ours": self.here, "baseline": self.engine},
            "python": platform.python_version(),
            "ours": _rounded(self.ours),
            "baseline": _rounded(self.baseline),
            "ratio": _rounded(self.ratio),
        }

    def table(self) -> Group:
        """The figures as a table."""
        document = self.document()
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        table.add_column("")
        for heading in ("awm_gym", "baseline", "times better"):
            table.add_column(heading, justify="right")
        for name in document["ours"]:
            cells = (_shown(document[part].get(name)) for part in ("ours", "baseline", "ratio"))
            table.add_row(_LABELS.get(name, name), *cells)
        legend = self.legend.format(python=document["python"], **document["sqlite"])
        title = Text(f"{self.scenario}, medians on {self.cores}", style="bold")
        return Group(title, table, Text(f"\n{legend}", style="dim"))


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    """Four digits: more would be noise."""
    return {name: float(f"{value:.4g}") for name, value in figures.items()}


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
