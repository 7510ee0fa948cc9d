"""The command line of the bench: `python -m awm_gym.bench`."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from awm_gym.allowed import AllowList
from awm_gym.bench import generated, ours
from awm_gym.bench.machine import pin_to_one_core
from awm_gym.bench.report import Report
from awm_gym.bench.workload import FULL, QUICK, Size, solutions
from awm_gym.errors import AwmError, UsageError, printable
from awm_gym.formats.awm.index import Index
from awm_gym.formats.awm.records import AwmScenario, Source
from awm_gym.library import names, open_scenario
from awm_gym.scenario import Scenario

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def main() -> None:
    """Run the command line. Mistakes and failures end in one line and exit code 2, never in a traceback."""
    try:
        app()
    except AwmError as error:
        print(f"awm-gym bench: {printable(str(error))}", file=sys.stderr)
        sys.exit(2)


@app.command()
def bench(
    scenario: Annotated[
        str | None, typer.Option(metavar="NAME", help="A scenario of the library; by default the one with most tools.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Repeat less.")] = False,
    awm: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Measure generated applications of AgentWorldModel data.")
    ] = None,
    allow_list: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Measure with tasks on this list only; see awm-gym awm audit.")
    ] = None,
    allow_unsandboxed: Annotated[
        bool, typer.Option("--allow-unsandboxed", help="The baseline of --awm may run generated code as it is.")
    ] = False,
) -> None:
    """Measure reset, step, verify and memory, beside a baseline with one server process per environment."""
    allowed = None if allow_list is None else AllowList.read(allow_list)
    if awm is not None:
        generated.insist_on_consent(allow_unsandboxed)
        require_extra("sqlalchemy", extra="awm,bench")
        size = generated.QUICK if quick else generated.FULL
        reports = [measured_generated(one, size, allow_unsandboxed) for one in records(awm, scenario, allowed)]
        if as_json:
            print(json.dumps({"scenarios": [report.document() for report in reports]}))
        for report in reports if not as_json else ():
            Console().print(report.table())
        return
    name = scenario if scenario is not None else largest()
    open_scenario(name)
    require_extra()
    report = measured(name, QUICK if quick else FULL, allowed)
    if as_json:
        print(json.dumps(report.document()))
    else:
        Console().print(report.table())


def largest() -> str:
    """The scenario of the library with most tools."""
    return max(names(), key=lambda name: len(open_scenario(name).tools))


def records(directory: Path, name: str | None, allowed: AllowList | None = None) -> Iterator[AwmScenario]:
    """Scenarios of AgentWorldModel data: one, or all; with the verifiers and solutions of allowed tasks.

    Raises:
        UsageError: there is no such scenario, or none of its tasks is allowed.
    """
    source = Source(Index.of(directory))
    for each in [name] if name is not None else source.index.entries:
        record = source.scenario(each)
        if allowed is not None:
            listed = _listed(allowed, record)
            record = record.only([number for number in record.verifiers if f"task_{number}" in listed])
        yield record


def _listed(allowed: AllowList, scenario: AwmScenario | Scenario) -> tuple[str, ...]:
    listed = allowed.tasks(scenario.name, scenario.fingerprint)
    if not listed:
        raise UsageError(f"of {scenario.name} no task is on the allow-list; name another scenario with --scenario")
    return listed


def require_extra(*more: str, extra: str = "bench") -> None:
    """See that what the baseline is made of is there.

    Raises:
        UsageError: it is not installed.
    """
    missing = [name for name in ("fastapi", "httpx", "uvicorn", *more) if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"the baseline needs {', '.join(missing)}; install the extra: pip install 'awm-gym[{extra}]'")


def measured(name: str, size: Size, allowed: AllowList | None = None) -> Report:
    """Measure a scenario and the baseline on one core, with all tasks or those that are allowed.

    Raises:
        UsageError: none is allowed.
        EnvironmentFault: a control failed; figures of something that does not work mean nothing.
    """
    baseline = importlib.import_module("awm_gym.bench.baseline")  # it imports what the extra brings
    pin_to_one_core()
    with telling() as tell:
        scenario = open_scenario(name)
        chosen = scenario.tasks if allowed is None else _listed(allowed, scenario)
        runs = tuple(run for run in solutions(scenario) if run.task.name in chosen)
        here = ours.measure(name, runs, size, tell)
        there, engine = baseline.measure(open_scenario(name), runs, size, tell)
    return Report(open_scenario(name).name, engine, here, there)


def measured_generated(record: AwmScenario, size: generated.Size, allow_unsandboxed: bool) -> Report:
    """Measure a generated application and the baseline, on all cores.

    Raises:
        EnvironmentFault: a control failed.
        ScenarioError: the scenario does not run.
        UsageError: nothing of it can be measured.
    """
    baseline = importlib.import_module("awm_gym.bench.generated_baseline")
    with telling() as tell:
        tell(record.name)
        what = generated.subject(record, allow_unsandboxed=allow_unsandboxed)
        plays = generated.plays(what)
        here = generated.measure(what, plays, size, tell)
        there = baseline.measure(record.code, what.base.image, plays, size, tell)
    cores = f"{len(os.sched_getaffinity(0))} cores"
    return Report(record.name, baseline.ENGINE, here, there, baseline.ENGINE, cores, generated.LEGEND)


@contextmanager
def telling() -> Iterator[Callable[[str], None]]:
    """What says, on a terminal, what is being measured."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("", total=None)

        def tell(part: str) -> None:
            progress.update(bar, description=part)

        yield tell


if __name__ == "__main__":
    main()
