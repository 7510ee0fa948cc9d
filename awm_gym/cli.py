"""The command line: awm-gym list, show, play, check, synth, blueprint, suite, awm, doctor, demo."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import typer
from rich.console import Console
from rich.panel import Panel
from rich.progress import Progress
from rich.text import Text

from awm_gym import __version__, check, demo, suites
from awm_gym.agents.human import Human
from awm_gym.agents.policy import play as play_episode
from awm_gym.agents.scripted import whole_solution
from awm_gym.allowed import AllowList
from awm_gym.answers import described
from awm_gym.arguments import describe
from awm_gym.blueprints import store, trial
from awm_gym.blueprints.engine import MAX_SEED
from awm_gym.cli_awm import awm
from awm_gym.cli_synth import synth
from awm_gym.episode import Episode, written
from awm_gym.errors import AwmError, ScenarioError, UsageError, printable, unknown
from awm_gym.formats.awm.images import Difference, Images
from awm_gym.gates.certificate import VERSION
from awm_gym.imported import Imported, ImportedTool
from awm_gym.imports import imports
from awm_gym.library import MAX_EPISODE_STEPS, names, open_playable, open_scenario, own_names, uncertified
from awm_gym.live import Live, Playable
from awm_gym.sandbox import doctor
from awm_gym.scenario import Task, Tool
from awm_gym.terminal import Json, print_json, table
from awm_gym.world import RowChange, World

_FEW = 5  # ids of an imported folder that the list tells
app = typer.Typer(
    name="awm-gym",
    help="Tool-use scenarios, database-backed and certified, as Gymnasium environments.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
ScenarioName = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO",
        help="A scenario of the library (parcel_lockers, practice-17) or of imported data (rover), or a folder.",
    ),
]


app.add_typer(synth, name="synth")
app.add_typer(awm, name="awm")


def main() -> None:
    """Run the command line. Mistakes end in one line and exit code 2, never in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names are not ASCII, terminals may be
    try:
        app()
    except AwmError as error:
        print(f"awm-gym: {printable(str(error))}", file=sys.stderr)
        sys.exit(2)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"awm-gym {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command("list")
def list_scenarios(as_json: Json = False) -> None:
    """List the scenarios of the library and your own, and the blueprints that make more."""
    rows = [_figures(open_scenario(name)) for name in (*names(), *own_names())]
    grammars = [(name, _summary(name)) for name in store.names()]
    folders = [(str(one.directory), [*one.scenarios]) for one in imports()]
    if as_json:
        makers = [{"blueprint": name, "summary": summary} for name, summary in grammars]
        print_json([*rows, *makers, *({"imported": folder, "scenarios": ids} for folder, ids in folders)])
        return
    shown = [(f"awm/{r['name']}", r["title"], r["tables"], r["rows"], r["tools"], r["tasks"]) for r in rows]
    console = Console()
    console.print(table(("id", "title", "tables", "rows", "tools", "tasks"), shown))
    if grammars:
        console.print()
        made = [(f"awm/{name}-0, -1, -2 ...", summary) for name, summary in grammars]
        console.print(table(("ids of a blueprint", "what it makes"), made))
    if folders:
        console.print()
        lying = [(folder, len(ids), _some(ids)) for folder, ids in folders]
        console.print(table(("imported, not certified", "scenarios", "ids"), lying))
    for name, problem in uncertified().items():
        console.print(Text(f"{name} is not registered: {problem}; see awm-gym check {name}", style="yellow"))


def _some(names: list[str]) -> str:
    """The first ids, and how many more there are."""
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(f"awm/{name}" for name in names[:_FEW]) + more


def _summary(blueprint: str) -> str:
    """What a blueprint makes, or why it makes nothing."""
    try:
        return store.blueprint(blueprint).head.summary
    except ScenarioError as error:
        return f"malformed: {error}"


def _figures(scenario: Playable) -> dict[str, Any]:
    counts = _row_counts(scenario)
    return {
        "name": scenario.name,
        "title": scenario.title,
        "version": scenario.version,
        "tables": len(counts),
        "rows": sum(counts.values()),
        "tools": len(scenario.tools),
        "tasks": len(scenario.tasks),
        "fingerprint": scenario.fingerprint,
    }


def _row_counts(scenario: Playable) -> dict[str, int]:
    if isinstance(scenario, Imported):
        return dict(scenario.base.tables)
    world = World(scenario)
    counts = {name: int(world.query(f'SELECT count(*) FROM main."{name}"')[0][0]) for name in world.tables}
    world.close()
    return counts


@app.command()
def show(
    scenario: ScenarioName,
    task: Annotated[str | None, typer.Argument(help="A task, to see how it is solved and judged.")] = None,
    as_json: Json = False,
) -> None:
    """Show a scenario: its clock, tables, tools and tasks; or one task with its solution."""
    found = open_playable(scenario)
    if task is not None:
        if task not in found.tasks:
            raise UsageError(unknown(f"task in {found.name}", task, found.tasks))
        one = found.tasks[task]
        if as_json:
            print_json(_task_document(one))
        else:
            _show_task(Console(), one)
    elif as_json:
        print_json(_scenario_document(found))
    else:
        _show_scenario(Console(), found)


def _scenario_document(scenario: Playable) -> dict[str, Any]:
    tools = [
        {"name": tool.name, "description": tool.description, "input_schema": tool.input_schema}
        for tool in scenario.tools.values()
    ]
    return _figures(scenario) | {
        "description": scenario.description,
        "now": scenario.now.isoformat(),
        "user": {"id": 1} if isinstance(scenario, Imported) else scenario.user.model_dump(exclude_none=True),
        "tools": tools,
        "tasks": {name: task.instruction for name, task in scenario.tasks.items()},
    }


def _task_document(task: Task) -> dict[str, Any]:
    document = task.model_dump(mode="json", exclude_defaults=True)
    document["solution"] = [call._asdict() for call in whole_solution(task)] if _is_solved(task) else None
    document["near_misses"] = {name: [call._asdict() for call in calls] for name, calls in task.near_misses.items()}
    return document


def _is_solved(task: Task) -> bool:
    """Whether a solution is known, as of imported data it often is not."""
    return bool(task.solution or task.infeasible)


def _arguments(tool: Tool | ImportedTool) -> Iterator[str]:
    """The arguments of a tool in words."""
    if isinstance(tool, Tool):
        for name, param in tool.params.items():
            yield f"{name}: {describe(param)}" + ("" if param.required else " (optional)")
        return
    for name, schema in tool.input_schema["properties"].items():
        kind = schema.get("format") or schema.get("type") or "any"
        yield f"{name}: {kind}" + ("" if name in tool.input_schema["required"] else " (optional)")


def _show_scenario(console: Console, scenario: Playable) -> None:
    console.print(Panel(Text(printable(scenario.description.strip())), title=printable(scenario.title)))
    console.print(Text(printable(scenario.greeting), style="bold"))
    console.print()
    console.print(table(("table", "rows"), _row_counts(scenario).items()))
    tools: Iterable[Tool | ImportedTool] = scenario.tools.values()
    rows = [(tool.name, ", ".join(_arguments(tool)), tool.description) for tool in tools]
    console.print()
    console.print(table(("tool", "arguments", "what it does"), rows))
    console.print()
    tasks = [(name, task.instruction.strip()) for name, task in scenario.tasks.items()]
    console.print(table(("task", "instruction"), tasks))


def _show_task(console: Console, task: Task) -> None:
    console.print(Panel(Text(printable(task.instruction.strip())), title=task.name))
    if task.given:
        console.print(Text(f"Given: {printable(task.given.strip())}", style="dim"))
    if task.answer:
        console.print(Text(f"Answer: {described(task.answer)}"))
        if task.expect or task.checks:
            console.print(Text(f"Right answer: {printable(task.expect or 'see the checks')}"))
    if task.infeasible:
        console.print(Text(f"Cannot be done: {printable(task.infeasible.why)}", style="yellow"))
    console.print(Text("\nSolution", style="bold"))
    for call in whole_solution(task) if _is_solved(task) else ():
        console.print(Text(f"  {printable(written(call))}"))
    if not _is_solved(task):
        console.print(Text("  none is known; whether there is one, awm-gym awm audit may tell", style="dim"))
    if task.changes:
        console.print(Text("\nWhat must differ in the end, and nothing else", style="bold"))
        for changes in task.changes:
            console.print_json(data=changes.model_dump(mode="json"))
    for name, sql in task.checks.items():
        console.print(Text(f"  check {name}: {printable(sql)}"))
    for name, calls in task.near_misses.items():
        console.print(Text(f"\nNear miss: {name}", style="bold"))
        for call in calls:
            console.print(Text(f"  {printable(written(call))}"))


@app.command()
def play(
    scenario: ScenarioName,
    task: Annotated[str | None, typer.Argument(help="A task; by default one is drawn.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws the task.")] = 0,
    steps: Annotated[
        int, typer.Option(min=1, max=10_000, help="Tool calls before the episode is cut.")
    ] = MAX_EPISODE_STEPS,
    as_json: Json = False,
) -> None:
    """Act yourself: call tools, submit, and see the verdict and what changed in the database."""
    env = gym.make("awm/Task", scenario=scenario, max_episode_steps=steps)
    console = Console(stderr=as_json)
    try:
        policy = Human(console, _asker(console), _completer())
        episode = play_episode(env, policy, task=task, seed=seed)
        changes = _changes(env.unwrapped.live)  # type: ignore[attr-defined]
        if as_json:
            print_json(json.loads(episode.to_json()) | {"changes": [change._asdict() for change in changes]})
        else:
            _show_verdict(console, episode, changes)
    finally:
        env.close()


def _changes(live: Live) -> tuple[RowChange, ...]:
    """The rows that differ from the episode's start. A database that generated code has made is opened in a cage."""
    if isinstance(live, World):
        return live.changes()
    with Images() as images:
        found = images.differing(live.initial, live.image())
    return tuple(_row_change(row) for row in found)


def _row_change(row: Difference) -> RowChange:
    old, new = row.old or {}, row.new or {}
    if row.kind == "changed":
        old, new = ({name: cells[name] for name in row.columns if name in cells} for cells in (old, new))
    return RowChange(row.table, row.key, old, new)


def _asker(console: Console) -> Callable[[str], str]:
    """Read lines with a prompt; a program that pipes its input gets none."""

    def ask(prompt: str) -> str:
        if sys.stdin.isatty():
            return console.input(Text(prompt))
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.rstrip("\n")

    return ask


def _completer() -> Callable[[list[str]], None]:
    """Let Tab complete words where the terminal can."""
    try:
        import readline
    except ImportError:
        return lambda words: None

    def complete(words: list[str]) -> None:
        def candidate(text: str, state: int) -> str | None:
            matches = [word for word in words if word.startswith(text)]
            return matches[state] if state < len(matches) else None

        readline.set_completer(candidate)
        readline.parse_and_bind("tab: complete")

    return complete


def _show_verdict(console: Console, episode: Episode, changes: tuple[RowChange, ...]) -> None:
    style = "green" if episode.outcome == "solved" else "red"
    text = f"{episode.outcome}, reward {episode.reward:g}. {printable(episode.explanation)}"
    console.print(Panel(Text(text, style=style), title="Verdict"))
    rows = [
        (
            change.table,
            ", ".join(f"{column} {value}" for column, value in change.key.items()),
            change.kind,
            ", ".join(
                f"{c}: {change.before.get(c)!r} -> {change.after.get(c)!r}" for c in {**change.before, **change.after}
            ),
        )
        for change in changes
    ]
    console.print(
        table(("table", "row", "", "what changed"), rows) if rows else Text("Nothing changed in the database.")
    )


@app.command("check")
def run_check(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME|PATH]...", help="Scenarios of the library, folders, or folders of folders."),
    ] = None,
    as_json: Json = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="Write files in canonical form, and the certificate, of what passes.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Believe what an interrupted run found already.")] = False,
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one for each core.")] = 0,
) -> None:
    """Prove scenarios: run all gates, and tell what they find. Exit code 1 if they find anything."""
    found = check.targets(scenarios or [])
    done: list[check.Checked] = []
    console = Console()
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("proving", total=len(found))
        for one in check.check_all(found, jobs=jobs or os.cpu_count() or 1, fix=fix, resume=resume):
            done.append(one)
            progress.advance(bar)
            if not as_json:
                check.tell(console, one)
    if as_json:
        check.print_json(sorted(done, key=lambda one: one.folder))
    if not all(one.passed for one in done):
        raise typer.Exit(1)


@app.command("suite")
def run_suite(
    name: Annotated[
        str | None, typer.Argument(metavar="[SUITE]", help="A suite, by name or file; default: list them.")
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Prove the scenarios of today, and write their fingerprints into the file.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one for each core.")] = 0,
    allow_list: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Only scenarios with tasks on this list; see awm-gym awm audit.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the suites, or the scenarios of one, with whether they are still those that it means."""
    if name is None:
        found = [suites.suite(one) for one in suites.suite_names()]
        listed = [(one.name, one.title, len(one.fingerprints), "yes" if one.certified else "no") for one in found]
        if as_json:
            print_json([{"name": one.name, "title": one.title, "scenarios": one.fingerprints} for one in found])
        else:
            Console().print(table(("suite", "what it is for", "scenarios", "certified"), listed))
        return
    chosen = suites.suite(name)
    if allow_list is not None:
        chosen = chosen.only(AllowList.read(allow_list))
    now = {one: open_playable(one).fingerprint for one in chosen.fingerprints}
    if fix:
        _fix_suite(chosen, now, jobs)
        chosen = suites.suite(name)
    same = {one: now[one] == fingerprint for one, fingerprint in chosen.fingerprints.items()}
    if as_json:
        print_json([{"scenario": one, "fingerprint": now[one], "same": same[one]} for one in now])
    else:
        rows = [(f"awm/{one}", now[one][:12], "yes" if same[one] else "no: another is made today") for one in now]
        Console().print(table(("id", "fingerprint", "as recorded"), rows))
    if not all(same.values()) or not chosen.certified:
        raise typer.Exit(1)


def _fix_suite(chosen: suites.Suite, now: dict[str, str], jobs: int) -> None:
    """Prove what is made today, then write it down; what does not pass is not written."""
    found = check.targets([*chosen.fingerprints])
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("proving", total=len(found))
        for one in check.check_all(found, jobs=jobs or os.cpu_count() or 1, fix=False, resume=True):
            progress.advance(bar)
            if not one.passed:
                raise UsageError(f"{one.folder} does not pass; see awm-gym check. The suite is left as it was.")
    suites.write(replace(chosen, gates=VERSION, fingerprints=now))


@app.command("blueprint")
def run_blueprint(
    name: Annotated[str, typer.Argument(metavar="BLUEPRINT", help="A blueprint of the library, or a folder.")],
    seeds: Annotated[int, typer.Option(min=1, max=10_000, help="How many seeds to try.")] = 20,
    first: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="The first seed.")] = 0,
    gates: Annotated[bool, typer.Option("--gates", help="Run all gates on each; seconds a seed.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print every instruction.")] = False,
    as_json: Json = False,
) -> None:
    """Try a blueprint on many seeds: faults, findings, what never occurs, and how its instructions read."""
    grammar = store.blueprint(name)
    found = trial.Trial(grammar)
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        for seed in progress.track(range(first, first + seeds), description="trying seeds"):
            found.add(seed, gates=gates)
    if as_json:
        print_json(found.document())
    else:
        console = Console()
        if show:
            for words in found.instructions:
                console.print(Text(printable(words)))
        for line in found.told():
            console.print(Text(printable(line)))
    if not found.passed:
        raise typer.Exit(1)


@app.command("doctor")
def run_doctor(as_json: Json = False) -> None:
    """Tell how well this machine can lock up generated Python, layer by layer, and why."""
    if as_json:
        print_json(doctor.report())
    else:
        Console().print(table(("layer", "in force", "why"), doctor.rows()))


@app.command("demo")
def run_demo(as_json: Json = False) -> None:
    """Let three scripted policies play every task of the library, and tell one episode step by step."""
    scenarios = names()
    if as_json:
        print_json([played.document() for played in demo.episodes(scenarios)])
        return
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("playing", total=demo.count(scenarios))
        played = list(progress.track(demo.episodes(scenarios), task_id=bar, total=demo.count(scenarios)))
    console = Console()
    console.print(demo.summary(played))
    if episode := demo.best(played):
        demo.tell(console, episode)
