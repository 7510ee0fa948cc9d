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

Figures = Mapping[str, float]
_LABELS = {
    "reset_us": ("reset, us", "a process started, until it answers"),
    "step_us": ("step, us", "a call over HTTP"),
    "step_read_us": ("  a tool that reads", ""),
    "step_write_us": ("  a tool that writes", ""),
    "step_memory_us": ("step over framed MCP, us", "in memory | streamable HTTP"),
    "verify_us": ("verify, us", "on copies of both database files"),
    "memory_mb": ("memory per environment, MB", "resident memory of the process"),
    "steps_per_second": ("steps per second", ""),
    "episodes_per_second": ("whole episodes per second", ""),
}


@dataclass(frozen=True)
class Report:
    """What was measured on a scenario.

    Attributes:
        scenario: its name.
        engine: the database engine of the baseline, and its version.
        ours: figures by name; a name ends in its unit.
        baseline: figures of the same names, of one server process for each environment.
    """

    scenario: str
    engine: str
    ours: Figures
    baseline: Figures

    @property
    def ratio(self) -> dict[str, float]:
        """How many times better ours is: less time, less memory, more per second."""
        ratios = {}
        for name in self.ours.keys() & self.baseline.keys():
            ours, baseline = self.ours[name], self.baseline[name]
            if ours and baseline:
                ratios[name] = ours / baseline if name.endswith("_per_second") else baseline / ours
        return {name: ratios[name] for name in self.ours if name in ratios}

    def document(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        rounded = [{n: _rounded(v) for n, v in part.items()} for part in (self.ours, self.baseline, self.ratio)]
        return {
            "scenario": self.scenario,
            "sqlite": {"ours": f"apsw {apsw.sqlite_lib_version()}", "baseline": self.engine},
            "python": platform.python_version(),
            "ours": rounded[0],
            "baseline": rounded[1],
            "ratio": rounded[2],
        }

    def table(self) -> Group:
        """The figures as a table."""
        document = self.document()
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for heading in ("", "awm_gym", "baseline", "times better"):
            table.add_column(heading, justify="right" if heading else "left")
        for name, ours in document["ours"].items():
            label = _LABELS.get(name, (name, ""))[0]
            table.add_row(label, *(_shown(document[part].get(name)) for part in ("ours", "baseline", "ratio")))
        return Group(
            Text(f"{self.scenario}: medians on one core", style="bold"),
            table,
            Text(
                f"awm_gym: {document['sqlite']['ours']} in this process. Baseline: one process per environment, FastAPI "
                f"and uvicorn, {self.engine} on a file, a commit for every call. Python {document['python']}.",
                style="dim",
            ),
        )


def _rounded(value: float) -> float:
    """Four digits: more would be noise."""
    return float(f"{value:.4g}")


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
