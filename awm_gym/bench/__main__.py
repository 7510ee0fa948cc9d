"""The command line of the bench: `python -m awm_gym.bench`."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from awm_gym.bench import ours
from awm_gym.bench.machine import pin_to_one_core
from awm_gym.bench.report import Report
from awm_gym.bench.workload import FULL, QUICK, Size, solutions
from awm_gym.errors import AwmError, UsageError, printable
from awm_gym.library import names, open_scenario

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
) -> None:
    """Measure reset, step, verify and memory, beside a baseline with one server process per environment."""
    name = scenario if scenario is not None else largest()
    open_scenario(name)
    require_extra()
    report = measured(name, QUICK if quick else FULL)
    if as_json:
        print(json.dumps(report.document()))
    else:
        Console().print(report.table())


def largest() -> str:
    """The scenario of the library with most tools."""
    return max(names(), key=lambda name: len(open_scenario(name).tools))


def require_extra() -> None:
    """See that what the baseline is made of is there.

    Raises:
        UsageError: it is not installed.
    """
    missing = [name for name in ("fastapi", "httpx", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"the baseline needs {', '.join(missing)}; install the extra: pip install 'awm-gym[bench]'")


def measured(name: str, size: Size) -> Report:
    """Measure a scenario and the baseline on one core.

    Raises:
        EnvironmentFault: a control failed; figures of something that does not work mean nothing.
    """
    baseline = importlib.import_module("awm_gym.bench.baseline")  # it imports what the extra brings
    pin_to_one_core()
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("", total=None)

        def tell(part: str) -> None:
            progress.update(bar, description=part)

        runs = solutions(open_scenario(name))
        here = ours.measure(name, runs, size, tell)
        there, engine = baseline.measure(open_scenario(name), runs, size, tell)
    return Report(open_scenario(name).name, engine, here, there)


if __name__ == "__main__":
    main()
