"""The command line of AgentWorldModel data: awm-gym awm import, forget, audit, repair, export."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from awm_gym import imports, library
from awm_gym.errors import UsageError, printable, shown
from awm_gym.formats.awm.audit.findings import ScenarioAudit
from awm_gym.formats.awm.audit.report import Report
from awm_gym.formats.awm.audit.runner import audit_all, chosen, problems
from awm_gym.formats.awm.audit.summary import ANY, DOUBTS, doubts, kinds
from awm_gym.formats.awm.export.proof import Proved, prove
from awm_gym.formats.awm.export.writer import Export, export
from awm_gym.formats.awm.index import Index
from awm_gym.formats.awm.repair import report as repairs
from awm_gym.formats.awm.repair.folder import REPAIRS, repair_all
from awm_gym.formats.awm.repair.values import Repair
from awm_gym.sandbox import doctor
from awm_gym.sandbox.protection import LEVELS, UNSANDBOXED
from awm_gym.scenario import Scenario
from awm_gym.suites import suite, suite_names
from awm_gym.terminal import Json, print_json, progress, table

_FEW = 10  # scenarios and problems that an import tells; --json has them all
_TOLD = 40  # problems and doubtful tasks that a terminal is told; --out and --json have them all
_WIDE = 300  # characters of each doubt on a terminal

awm = typer.Typer(
    help="AgentWorldModel data (folders of gen_*.jsonl): run it, see what of it can be trusted, mend it, export to it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Directory = Annotated[Path, typer.Argument(metavar="DIR", help="A folder of gen_*.jsonl.")]
_Scenarios = Annotated[list[str] | None, typer.Option("--scenario", metavar="NAME", help="Only this; may be repeated.")]
_Solutions = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Known solutions, one a line; default: gen_solution.jsonl in DIR.")
]
_Jobs = Annotated[int, typer.Option(min=0, help="Processes; 0: one for each core.")]
_Unsandboxed = Annotated[
    bool, typer.Option("--allow-unsandboxed", help="Run generated code even where nothing locks it up.")
]


@awm.callback()
def _group() -> None:
    pass


@awm.command("import")
def import_data(
    directory: _Directory,
    prefix: Annotated[
        str, typer.Option(help="Set before the names of its scenarios, such as mended_ for a repaired folder.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Let gym.make("awm/<scenario>") know the scenarios of a folder. Nothing is copied."""
    index = Index.of(directory)
    made = imports.add(index, prefix, library.taken())
    if as_json:
        found = [problem._asdict() for problem in index.problems]
        lacks = {name: index.entries[entry].lacks for name, entry in made.scenarios.items()}
        print_json({"scenarios": lacks, "problems": found, "missing": dict(index.missing)})
        return
    console = Console()
    rows = [(f"awm/{name}", index.entries[entry].title) for name, entry in made.scenarios.items()]
    console.print(table(("id", "as its author calls it"), rows[:_FEW]))
    more = f", {len(rows) - _FEW} of them not shown here" if len(rows) > _FEW else ""
    console.print(Text(f"{len(rows)} scenarios can be made by gym.make{more}."))
    for name, without in index.missing.items():
        console.print(Text(f"{name} is missing: {without}", style="yellow"))
    for problem in index.problems[:_FEW]:
        console.print(Text(printable(str(problem)), style="yellow"))
    if len(index.problems) > _FEW:
        console.print(Text(f"... and {len(index.problems) - _FEW} more problems; --json has them all", style="yellow"))
    sandbox = doctor.rows()[-1]
    if sandbox.state not in LEVELS[2:]:
        console.print(Text(f"They do not run here yet: {printable(sandbox.why)}", style="red"))


@awm.command("forget")
def forget_data(directory: _Directory) -> None:
    """Forget an imported folder. Its files stay."""
    gone = imports.forget(directory)
    Console().print(Text(f"{len(gone.scenarios)} scenarios of {printable(str(gone.directory))} are forgotten."))


@awm.command("audit")
def run_audit(
    directory: _Directory,
    scenario: _Scenarios = None,
    solutions: _Solutions = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all of it: report.html or report.md.")] = None,
    allow_list: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the tasks that nothing speaks against, as TOML.")
    ] = None,
    proved: Annotated[
        bool, typer.Option("--proved", help="With --allow-list: only tasks that a known solution proved.")
    ] = False,
    fail_on: Annotated[
        str | None,
        typer.Option(metavar="DOUBT[,...]", help=f"Exit code 1 if there is one of these: {', '.join(DOUBTS)}, {ANY}."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Believe nothing that an earlier run found.")] = False,
    jobs: _Jobs = 0,
    allow_unsandboxed: _Unsandboxed = False,
    as_json: Json = False,
) -> None:
    """Find out which tasks lie: lost rows, broken tools, verifiers that pay for nothing. Run again to go on."""
    doubtful = kinds(fail_on) if fail_on is not None else ()
    if proved and allow_list is None:
        raise UsageError("--proved chooses what goes into --allow-list FILE; give that, too")
    if out is not None and out.suffix not in (".html", ".md"):
        raise UsageError(f"--out {shown(str(out))} ends in neither .html nor .md; name one of these")
    _writable(out, allow_list)
    index = Index.of(directory)
    names = chosen(index, scenario or ())
    if allow_unsandboxed:
        os.environ[UNSANDBOXED] = "1"  # also for the processes that this one starts
    found = audit_all(directory, names, jobs=jobs or os.cpu_count() or 1, solutions=solutions, fresh=fresh)
    report = Report.of(_watched(found, len(names)), problems(index, solutions))
    if as_json:
        print_json(report.document())
    else:
        _tell(Console(), report)
    if out is not None:
        _write(out, report.html() if out.suffix == ".html" else report.markdown())
    if allow_list is not None:
        report.allow_list(proved=proved).write(allow_list)
    counted = {kind: count for kind, count in doubts(report.audits).items() if kind in doubtful and count}
    if counted:
        told = ", ".join(f"{count} {DOUBTS[kind].words} ({kind})" for kind, count in counted.items())
        print(f"awm-gym: found {told}", file=sys.stderr)
        raise typer.Exit(1)


def _watched(found: Iterable[ScenarioAudit], total: int) -> list[ScenarioAudit]:
    """All of them, with a bar while they come."""
    done = []
    with progress() as bars:
        bar = bars.add_task("auditing", total=total, note="")
        for audit in found:
            done.append(audit)
            bars.update(bar, advance=1, note=audit.name)
    return done


def _writable(*paths: Path | None) -> None:
    """Find out before the work whether there is a folder to write its result to."""
    for path in paths:
        if path is not None and (path.is_dir() or not os.access(path.parent, os.W_OK)):
            raise UsageError(f"{shown(str(path))} cannot be written: name a file in a folder that can")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(f"{shown(str(path))} cannot be written: {error.strerror}") from error


def _tell(console: Console, report: Report) -> None:
    """The summary, a line for each scenario, and what speaks against tasks."""
    for part in report.summary:
        console.print(table((part.title, ""), ((figure.words, figure.value) for figure in part.figures)))
        console.print()
    for line in report.lines():
        console.print(Text(printable(line)))
    console.print()
    _tell_some(console, (Text(printable(problem), style="yellow") for problem in report.problems))
    _tell_some(console, (Text(printable(f"{what}: {why}"[:_WIDE])) for what, why in report.doubtful()))
    console.print(Text(report.headline(), style="bold"))


def _tell_some(console: Console, lines: Iterable[Text], rest_in: str = "--out") -> None:
    rest = iter(lines)
    for line in islice(rest, _TOLD):
        console.print(line)
    if more := sum(1 for _ in rest):
        console.print(Text(f"... and {more} more; {rest_in} has them all", style="dim"))


@awm.command("export")
def export_scenarios(
    scenarios: Annotated[
        list[str],
        typer.Argument(metavar="SUITE", help="A suite, or its file; or scenarios (parcel_lockers, practice-17)."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A new folder.")],
    allow_unsandboxed: _Unsandboxed = False,
    as_json: Json = False,
) -> None:
    """Write native scenarios as such data, read them back, and prove that tools and verdicts are the same."""
    if allow_unsandboxed:
        os.environ[UNSANDBOXED] = "1"
    names = [name for word in scenarios for name in _members(word)]
    made = export(_exporting(names), out)
    parts = len(names) + sum(map(len, made.tasks.values()))
    proved = _proving(prove((_opened(*name) for name in names), out), parts)
    wrong = [(part, problem) for part in proved for problem in part.problems]
    if as_json:
        print_json(_exported(made, proved))
    else:
        console = Console()
        left = (f"{scenario}, {task} is left out: {why}" for scenario, task, why in made.left_out)
        _tell_some(console, (Text(printable(line), style="yellow") for line in left), "--json")
        found = (f"{part.scenario}, {part.part}: {problem}"[:_WIDE] for part, problem in wrong)
        _tell_some(console, (Text(printable(line), style="red") for line in found), "--json")
        tasks = f"{parts - len(names)} tasks of {len(names)} scenarios are in {printable(str(out))}"
        console.print(Text(f"{tasks}; {'all are proved' if not wrong else 'not all play as they should'}."))
    if wrong:
        print(f"awm-gym: {len(wrong)} problems: this is no good export", file=sys.stderr)
        raise typer.Exit(1)


def _members(word: str) -> list[tuple[str, str]]:
    """The scenarios that a word means, each with its suite, "" if it is of none."""
    if word not in suite_names() and not word.endswith(".toml"):
        return [("", word)]
    return [(word, name) for name in suite(word).fingerprints]


def _opened(of: str, name: str) -> Scenario:
    if of:
        suite(of).open(name)  # whether it is still what the suite means
    return library.open_scenario(name)


def _exporting(names: list[tuple[str, str]]) -> Iterator[Scenario]:
    with progress() as bars:
        bar = bars.add_task("exporting", total=len(names), note="")
        for of, name in names:
            yield _opened(of, name)
            bars.update(bar, advance=1, note=name)


def _proving(found: Iterable[Proved], total: int) -> list[Proved]:
    done = []
    with progress() as bars:
        bar = bars.add_task("proving", total=total, note="")
        for part in found:
            done.append(part)
            bars.update(bar, advance=1, note=f"{part.scenario}, {part.part}")
    return done


def _exported(made: Export, proved: list[Proved]) -> dict[str, object]:
    return {
        "directory": str(made.directory),
        "tasks": made.tasks,
        "left_out": [left._asdict() for left in made.left_out],
        "problems": [part._asdict() for part in proved if part.problems],
    }


@awm.command("repair")
def run_repair(
    directory: _Directory,
    out: Annotated[Path, typer.Option(metavar="DIR2", help="A new folder for the mended data.")],
    scenario: _Scenarios = None,
    solutions: _Solutions = None,
    jobs: _Jobs = 0,
    allow_unsandboxed: _Unsandboxed = False,
    as_json: Json = False,
) -> None:
    """Mend what can be mended safely, into a new folder; what was done stands in its repairs.jsonl."""
    names = chosen(Index.of(directory), scenario or ())
    if allow_unsandboxed:
        os.environ[UNSANDBOXED] = "1"  # also for the processes that this one starts
    done: list[Repair] = []
    with progress() as bars:
        bar = bars.add_task("repairing", total=len(names), note="")
        for repair in repair_all(directory, out, names, jobs=jobs or os.cpu_count() or 1, solutions=solutions):
            done.append(repair)
            bars.update(bar, advance=1, note=repair.name)
    done.sort(key=lambda repair: repair.name)
    if as_json:
        print_json([repair.model_dump() for repair in done])
        return
    console = Console()
    console.print(table(("done", ""), repairs.figures(done)))
    _tell_some(console, (Text(printable(line)[:_WIDE]) for line in repairs.words(done)), REPAIRS)
    console.print(Text(f"The mended data are in {printable(str(out))}; what was done stands in its {REPAIRS}."))
