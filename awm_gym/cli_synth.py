"""The command line of synthesis: awm-gym synth, from blueprints or with a language model."""

from __future__ import annotations

import difflib
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.progress import Progress
from rich.text import Text
from typer.core import TyperGroup

from awm_gym.blueprints import store
from awm_gym.blueprints.engine import MAX_SEED
from awm_gym.errors import UsageError, printable, unknown
from awm_gym.library import names as library_names
from awm_gym.library import open_scenario, own_folder
from awm_gym.llm import Ledger, Log, Model, Prices, Settings, Spent, stage_models
from awm_gym.synth import growth, runs, solve
from awm_gym.synth.blueprint import BlueprintAuthor
from awm_gym.synth.briefs import Brief, read_briefs, seed_briefs, seeds, write_briefs
from awm_gym.synth.campaign import LOG, Made, Order, Solver, Terms, carry_out
from awm_gym.synth.chat import ChatAuthor, Wants
from awm_gym.synth.chat_blueprint import STAGE_NAME, write_blueprint
from awm_gym.synth.draft import STAGES, Attempt
from awm_gym.synth.estimate import Estimate, estimate
from awm_gym.synth.pipeline import MAX_ATTEMPTS, Least
from awm_gym.synth.report import PAPER, Report, read_report
from awm_gym.terminal import Json, print_json, progress, table

BRIEFS = "briefs.toml"
_TOLD = 4  # findings of a rejected scenario that are told; --json has them all
_ASKED = (*growth.STAGES, *(stage.name for stage in STAGES), "solve", STAGE_NAME)  # stages that may have own models
_OFFLINE = "blueprints"


class _Synth(TyperGroup):
    """`awm-gym synth` alone, or with names of blueprints, makes scenarios offline."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = [_OFFLINE, *args]
        return super().parse_args(ctx, args)


synth = typer.Typer(
    cls=_Synth,
    help="Make scenarios and prove them: from blueprints, offline (awm-gym synth [BLUEPRINT ...] --count N), or with a "
    "language model, stage by stage or all at once. Run again to go on after an interruption.",
    rich_markup_mode=None,
)

_Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these of the briefs.")]
_Count = Annotated[int, typer.Option(min=1, max=100_000, help="How many.")]
_Seed = Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Of what is drawn.")]
_Out = Annotated[str | None, typer.Option(help="Folder; default: the library in which gym.make finds them.")]
_Briefs = Annotated[str | None, typer.Option("--briefs", help=f"The file of briefs; default: {BRIEFS} in --out.")]
_FromSeeds = Annotated[bool, typer.Option("--from-seeds", help="Take the package's seeds as briefs, without a model.")]
_ModelName = Annotated[str | None, typer.Option("--model", help="Its name; default: AWM_GYM_MODEL.")]
_Models = Annotated[
    list[str] | None, typer.Option("--stage-model", metavar="STAGE=MODEL", help="Another, for a stage.")
]
_BaseUrl = Annotated[str | None, typer.Option(help="The server; default: OPENAI_BASE_URL, Azure's variables, OpenAI.")]
_Embedding = Annotated[str | None, typer.Option(help="Tells which briefs are alike; default: words that they share.")]
_Temperature = Annotated[float | None, typer.Option(help="Of sampling; default: the server's.")]
_MaxTokens = Annotated[int | None, typer.Option(help="Of one answer; default: the server's.")]
_Effort = Annotated[str | None, typer.Option(help="Of a reasoning model: low, medium, high.")]
_Timeout = Annotated[float, typer.Option(help="Seconds for one request.")]
_Concurrency = Annotated[int, typer.Option(min=1, max=4096, help="Requests at a time.")]
_MaxCost = Annotated[float | None, typer.Option(help="US dollars after which to stop.")]
_MaxTotal = Annotated[int | None, typer.Option(help="Tokens after which to stop.")]
_PricesFile = Annotated[str | None, typer.Option("--prices", help="A TOML file of prices, over those of the package.")]
_Tasks = Annotated[int, typer.Option(min=1, max=100, help="Tasks of a scenario.")]
_MinTasks = Annotated[
    int | None, typer.Option(min=1, help="Fewest that are left if some cannot be proved; default: 60 %.")
]
_Tools = Annotated[int, typer.Option(min=5, max=200, help="Tools of a scenario, about.")]
_MinTools = Annotated[int, typer.Option(min=1, help="Fewest tools.")]
_Rows = Annotated[int, typer.Option(min=10, max=2_000, help="Rows of a scenario, about.")]
_Attempts = Annotated[int, typer.Option(min=1, max=20, help="Writings of a stage before it is given up.")]
_Parallel = Annotated[int, typer.Option(min=1, max=1024, help="Scenarios at a time.")]
_Jobs = Annotated[int, typer.Option(min=0, help="Processes that run gates; 0: one for each core.")]
_Dry = Annotated[bool, typer.Option("--dry-run", help="Only estimate requests, tokens and cost.")]
_Solve = Annotated[
    int, typer.Option("--solve", min=0, max=1_000, help="Let the model attempt each task so often, to measure it.")
]
_Band = Annotated[str, typer.Option(metavar="LOW:HIGH", help="With --solve: keep tasks solved in such a share.")]
_Author = Annotated[str, typer.Option(help="Who writes: chat (a language model) or blueprint.")]


# Offline --------------------------------------------------------------------------------------------------------------


@synth.command(_OFFLINE, hidden=True)
def run_blueprints(
    blueprints: Annotated[
        list[str] | None, typer.Argument(metavar="[BLUEPRINT]...", help="Blueprints, by name or folder; default: all.")
    ] = None,
    author: Annotated[str, typer.Option(help="Who writes: blueprint; for chat see awm-gym synth all.")] = "blueprint",
    count: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many scenarios, over all blueprints.")] = 12,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="The first seed; those of a blueprint count up.")] = 0,
    out: Annotated[
        str, typer.Option(help="Folder for the scenarios; those that stand there are not made again.")
    ] = "scenarios",
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one for each core.")] = 0,
    as_json: Json = False,
) -> None:
    """Make scenarios and prove them: a folder each, with its certificate. Run again to go on after an interruption."""
    if author != "blueprint":
        hint = " With a language model: awm-gym synth all." if author == "chat" else ""
        raise UsageError(unknown("author", author, ["blueprint"]) + hint)
    commands = [*_COMMANDS, "scenarios", "report", "blueprint"]
    for name in blueprints or []:
        if name not in store.names() and difflib.get_close_matches(name, commands):
            raise UsageError(unknown("command in synth", name, commands))
    wanted = runs.orders(blueprints or [], count, seed)
    done: list[runs.Done] = []
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bars:
        bar = bars.add_task("making and proving", total=len(wanted))
        for one in runs.make_all(wanted, out, jobs or os.cpu_count() or 1):
            done.append(one)
            bars.advance(bar)
            if one.findings and not as_json:
                for finding in one.findings[:_TOLD]:
                    bars.console.print(Text(f"{one.name}: {printable(finding)}", style="red"))
    done.sort(key=lambda one: one.order)
    if as_json:
        print_json([one.document() for one in done])
    else:
        console = Console()
        rows = runs.summary(done)
        if rows:
            console.print(table(rows[0], (row.values() for row in rows)))
        kept = sum(not one.findings for one in done)
        console.print(f"{kept} of {len(done)} scenarios, each with its certificate, in {printable(out)}")
    if any(one.findings for one in done):
        raise typer.Exit(1)


# With a language model ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Asking:
    """A model to ask, and the books that are kept of it."""

    settings: Settings
    prices: Prices
    ledger: Ledger

    @classmethod
    def of(cls, prices: str | None, stage_model: Sequence[str] | None, **settings: Any) -> _Asking:
        """By the flags, and the environment.

        Raises:
            UsageError: no model is named, there is no server, or a flag is wrong.
        """
        found = Settings.from_environment(models=stage_models(stage_model or [], _ASKED), **settings)
        table_of_prices = Prices(prices)
        return cls(found, table_of_prices, Ledger(found, table_of_prices))

    def model(self, log: Log) -> Model:
        """The model."""
        return Model(self.settings, self.ledger, log)

    def told(self) -> str:
        """What was spent so far, in words."""
        return _told(self.ledger.spent(), priced=not self.ledger.unpriced())


def _told(spent: Spent, *, priced: bool) -> str:
    kept = f" ({spent.kept} kept)" if spent.kept else ""
    cost = f", ${spent.dollars:.2f}" if priced else ", of unknown price"
    return f"{spent.requests} requests{kept}, {spent.usage.total:,} tokens{cost}"


@synth.command("scenarios")
def run_scenarios(
    count: _Count = 10,
    seed: _Seed = 0,
    out: _Out = None,
    briefs: _Briefs = None,
    from_seeds: _FromSeeds = False,
    model: _ModelName = None,
    stage_model: _Models = None,
    base_url: _BaseUrl = None,
    embedding_model: _Embedding = None,
    temperature: _Temperature = None,
    max_tokens: _MaxTokens = None,
    effort: _Effort = None,
    timeout: _Timeout = 600.0,
    concurrency: _Concurrency = 8,
    max_cost: _MaxCost = None,
    max_total_tokens: _MaxTotal = None,
    prices: _PricesFile = None,
    as_json: Json = False,
) -> None:
    """Grow briefs from the seeds: what each scenario is to be about. They are written to a file that you may edit."""
    place = Path(out) if out else own_folder()
    file = Path(briefs) if briefs else place / BRIEFS
    if from_seeds:
        found = _briefs(file, count, seed, None, place)
    else:
        asking = _Asking.of(
            prices, stage_model, model=model, base_url=base_url, embedding_model=embedding_model,
            temperature=temperature, max_tokens=max_tokens, effort=effort, timeout=timeout, concurrency=concurrency,
            max_cost=max_cost, max_total_tokens=max_total_tokens,
        )  # fmt: skip
        found = _briefs(file, count, seed, asking, place)
    if as_json:
        print_json([brief.model_dump() for brief in found])
    else:
        console = Console()
        console.print(table(("name", "category", "what it is"), ((b.name, b.category, b.title) for b in found)))
        console.print(Text(f"{len(found)} briefs in {printable(str(file))}"))
    if len(found) < count:
        raise typer.Exit(1)


def _briefs(file: Path, count: int, seed: int, asking: _Asking | None, out: Path) -> tuple[Brief, ...]:
    """So many briefs: those of a file, and what is missing of them new."""
    known = read_briefs(file) if file.is_file() else ()
    if len(known) >= count:
        return known[:count]
    missing = count - len(known)
    if asking is None:
        taken = {brief.name for brief in known}
        new = [brief for brief in seed_briefs([one.name for one in seeds()]) if brief.name not in taken][:missing]
        if len(new) < missing:
            raise UsageError(f"There are {len(seeds())} seeds, not enough for {count} briefs; leave --from-seeds out.")
    else:
        settings = growth.GrowthSettings(embedded=asking.settings.embedding_model is not None)
        with progress() as bars, asking.model(Log(out / LOG)) as model:
            bars.add_task("growing briefs", total=None, note="")
            grown = growth.grow(model, missing, seed, (*known, *_taken()), settings)
        new = list(grown.accepted)
        if grown.stopped:
            print(f"awm-gym: {printable(grown.stopped)}", file=sys.stderr)
    found = (*known, *new)
    if new:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{file} cannot be written: {error.strerror}") from error
        write_briefs(file, found)
    return found


def _taken() -> list[Brief]:
    """What there is already, as briefs: a new one is to be another."""
    there = [(name, open_scenario(name).title, open_scenario(name).description) for name in library_names()]
    there += [(name, name.replace("_", " "), store.blueprint(name).head.summary) for name in store.names()]
    return [
        Brief(name=name, title=title[:80], category="community", description=" ".join(text.split())[:2_000])
        for name, title, text in there
    ]


def run_stages(
    context: typer.Context,
    names: _Names = None,
    count: _Count = 10,
    seed: _Seed = 0,
    out: _Out = None,
    author: _Author = "chat",
    briefs: _Briefs = None,
    from_seeds: _FromSeeds = False,
    tasks: _Tasks = 10,
    min_tasks: _MinTasks = None,
    tools: _Tools = 35,
    min_tools: _MinTools = 20,
    rows: _Rows = 150,
    attempts: _Attempts = MAX_ATTEMPTS,
    solve_attempts: _Solve = 0,
    band: _Band = "0:1",
    dry_run: _Dry = False,
    model: _ModelName = None,
    stage_model: _Models = None,
    base_url: _BaseUrl = None,
    embedding_model: _Embedding = None,
    temperature: _Temperature = None,
    max_tokens: _MaxTokens = None,
    effort: _Effort = None,
    timeout: _Timeout = 600.0,
    concurrency: _Concurrency = 8,
    max_cost: _MaxCost = None,
    max_total_tokens: _MaxTotal = None,
    prices: _PricesFile = None,
    parallel: _Parallel = 8,
    jobs: _Jobs = 0,
    as_json: Json = False,
) -> None:
    """Write scenarios up to the stage that the command names."""
    until = _COMMANDS[str(context.info_name)].until
    place = Path(out) if out else own_folder()
    least = Least(min(min_tasks or -(-6 * tasks // 10), tasks), min_tools)
    terms = Terms(place, attempts, least, until, parallel, jobs or os.cpu_count() or 1)
    if author == "blueprint":
        _report_made(_carried_out(_offline(names, count, seed), terms, None, as_json), terms, None, as_json)
        return
    if author != "chat":
        raise UsageError(unknown("author", author, ["chat", "blueprint"]))
    wants = Wants(tasks=tasks, infeasible=1 if tasks > 4 else 0, rows=rows, tools=tools, least_tools=min_tools)
    if min_tools > tools:
        raise UsageError(f"--min-tools {min_tools} is more than --tools {tools}.")
    low, high = solve.band(band)
    if dry_run:
        base_url = base_url or "http://127.0.0.1"  # nothing is asked
    asking = _Asking.of(
        prices, stage_model, model=model, base_url=base_url, embedding_model=embedding_model,
        temperature=temperature, max_tokens=max_tokens, effort=effort, timeout=timeout, concurrency=concurrency,
        max_cost=max_cost, max_total_tokens=max_total_tokens,
    )  # fmt: skip
    if dry_run:
        _show_estimate(
            estimate(len(names) if names else count, wants, asking.settings, asking.prices, solve_attempts), as_json
        )
        return
    file = Path(briefs) if briefs else place / BRIEFS
    if not (file.exists() or from_seeds or context.info_name == "all"):
        raise UsageError(f"There is no {file}: run awm-gym synth scenarios first, or give --briefs or --from-seeds.")
    found = _chosen(file, names, count, seed, None if from_seeds else asking, place)
    if not found:
        raise typer.Exit(1)  # why there is no brief was said
    if taken := [brief.name for brief in found if brief.name in (*library_names(), *store.names())]:
        raise UsageError(f"{taken[0]!r} is a name of the library; rename the brief in {file}.")
    about: dict[str, Any] = {
        "wants": vars(wants),
        "models": [asking.settings.model, *sorted(asking.settings.models.items())],
    }
    with asking.model(Log(place / LOG)) as asked:
        if solve_attempts:
            who = asking.settings.model_of("solve")
            terms = replace(terms, solver=Solver(asked, who, solve_attempts, low, high))
            about["solve"] = [who, solve_attempts, low, high]
        orders = [_order(brief, asked, wants, about) for brief in found]
        made = _carried_out(orders, terms, asking, as_json)
    _report_made(made, terms, asking, as_json)
    if not names and len(found) < count:
        raise typer.Exit(1)  # why there are no more was said


def _order(brief: Brief, model: Model, wants: Wants, about: dict[str, Any]) -> Order:
    return Order(brief.name, lambda: ChatAuthor(model, brief, wants), {"brief": brief.model_dump(), **about})


def _offline(names: Sequence[str] | None, count: int, seed: int) -> list[Order]:
    """Orders of scenarios from blueprints."""

    def order(name: str, number: int) -> Order:
        grammar = store.blueprint(name)
        return Order(
            f"{grammar.name}_{number}",
            lambda: BlueprintAuthor(grammar, number),
            {"blueprint": grammar.name, "seed": number, "grammar": grammar.fingerprint},
        )

    return [order(*one) for one in runs.orders(names or [], count, seed)]


def _chosen(
    file: Path, names: Sequence[str] | None, count: int, seed: int, asking: _Asking | None, out: Path
) -> tuple[Brief, ...]:
    """The briefs that are to become scenarios."""
    if not names:
        return _briefs(file, count, seed, asking, out)
    known = {brief.name: brief for brief in (*seeds(), *(read_briefs(file) if file.exists() else ()))}
    for name in names:
        if name not in known:
            raise UsageError(unknown("brief", name, known) + f" Briefs are the seeds, and those of {file}.")
    return tuple(known[name] for name in dict.fromkeys(names))


def _carried_out(orders: Sequence[Order], terms: Terms, asking: _Asking | None, as_json: bool) -> list[Made]:
    """Carry orders out, and tell of it on the way. Ctrl-C loses nothing."""
    made: list[Made] = []
    with progress() as bars:
        bar = bars.add_task("writing and proving", total=len(orders), note="")
        at: dict[str, str] = {}  # the stage of each scenario in the making

        def told(name: str, attempt: Attempt) -> None:
            at[name] = attempt.stage
            now = Counter(at.copy().values())
            where = ", ".join(f"{now[stage]} at {stage}" for stage in now)
            bars.update(bar, note=f"{where}; {asking.told()}" if asking else where)

        try:
            for one in carry_out(orders, terms, Log(terms.out / LOG), told):
                made.append(one)
                at.pop(one.name, None)
                bars.advance(bar)
                if (one.rejected or one.stopped) and not as_json:
                    why = one.rejected or f"not done: {one.stopped}"
                    bars.console.print(Text(f"{one.name}: {printable(why)}", style="red"))
        except KeyboardInterrupt:
            done = f"{len(made)} of {len(orders)} scenarios are done"
            print(f"awm-gym: Interrupted; {done}. Run it again to go on.", file=sys.stderr)
            raise typer.Exit(130) from None
    order = {one.name: number for number, one in enumerate(orders)}
    return sorted(made, key=lambda one: order[one.name])


def _report_made(made: Sequence[Made], terms: Terms, asking: _Asking | None, as_json: bool) -> None:
    if as_json:
        print_json([one.document() for one in made])
    else:
        console = Console()
        good = [one for one in made if one.folder is not None]
        if good and not terms.until:
            rows = [
                (one.name, *(one.figures[key] for key in ("tables", "rows", "tools")), len(one.figures["tasks"]),
                 ", ".join(name for name, _ in one.dropped)) for one in good
            ]  # fmt: skip
            console.print(table(("scenario", "tables", "rows", "tools", "tasks", "given up"), rows))
        spent = f" {asking.told()}; see awm-gym synth report." if asking else ""
        what = f"written up to the stage {terms.until}" if terms.until else "certified"
        console.print(Text(f"{len(good)} of {len(made)} scenarios {what}, in {printable(str(terms.out))}.{spent}"))
    if any(one.folder is None for one in made):
        raise typer.Exit(1)


def _show_estimate(found: Estimate, as_json: bool) -> None:
    if as_json:
        stages = [{"stage": s.stage, "requests": s.requests, **s.usage._asdict()} for s in found.stages]
        document = {"scenarios": found.scenarios, "factor": found.factor, "requests": found.requests}
        print_json({**document, **found.usage._asdict(), "dollars": found.dollars, "stages": stages})
        return
    console = Console()
    rows = [(s.stage, s.requests, f"{s.usage.prompt:,}", f"{s.usage.completion:,}") for s in found.stages]
    console.print(table(("stage", "requests", "tokens in", "tokens out"), rows, "One scenario, each stage once"))
    cost = "of unknown price (see --prices)" if found.dollars is None else f"about ${found.dollars:.2f}"
    console.print(
        Text(
            f"{found.scenarios} scenarios, {found.factor} writings a stage: {found.requests:,} requests, "
            f"{found.usage.total:,} tokens, {cost}. Cached prompts cost less; reasoning is not counted."
        )
    )


@synth.command("report")
def run_report(
    folder: Annotated[str | None, typer.Argument(help="Where synth wrote to; default: the library.")] = None,
    prices: _PricesFile = None,
    as_json: Json = False,
) -> None:
    """Tell what synthesis took: first tries, attempts, tokens and cost by stage, and why scenarios were rejected."""
    found = read_report((Path(folder) if folder else own_folder()) / LOG, Prices(prices))
    if as_json:
        print_json(found.document())
        return
    console = Console()
    rows = [
        (
            name,
            stage.scenarios or "",
            f"{stage.held / stage.scenarios:.0%}" if stage.scenarios else "",
            f"{stage.attempts / stage.scenarios:.2f}" if stage.scenarios else "",
            stage.requests,
            f"{stage.usage.prompt:,}",
            f"{stage.usage.completion:,}",
            "?" if stage.dollars is None else f"{stage.dollars:.2f}",
        )
        for name, stage in found.stages.items()
    ]
    columns = ("stage", "scenarios", "first try", "attempts", "requests", "tokens in", "tokens out", "$")
    console.print(table(columns, rows))
    console.print(Text(_summary(found)))
    for reason, number in found.reasons():
        console.print(Text(f"  {number} rejected: {printable(reason)}"))


def _summary(found: Report) -> str:
    """The figures that the paper gives too."""
    first = "?" if found.first_try is None else f"{found.first_try:.1%}"
    attempts = "?" if found.attempts is None else f"{found.attempts:.2f}"
    dollars = "?" if found.dollars is None else f"${found.dollars:.2f}"
    return (
        f"{len(found.made)} certified, {len(found.rejected)} rejected, {found.dropped} tasks or tools given up. "
        f"First try {first} (paper: {PAPER['first_try']:.1%}), attempts a stage {attempts} ({PAPER['attempts']}), "
        f"a scenario {dollars} (${PAPER['dollars']})."
    )


@synth.command("blueprint")
def run_write_blueprint(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of a seed, or of a brief of the file --briefs.")],
    out: Annotated[str | None, typer.Option(help="Folder for the blueprint's own; default: your blueprints.")] = None,
    briefs: Annotated[str | None, typer.Option("--briefs", help="A file of briefs.")] = None,
    attempts: _Attempts = MAX_ATTEMPTS,
    seeds_tried: Annotated[int, typer.Option("--seeds", min=1, max=1_000, help="Seeds that must show no fault.")] = 10,
    gates: Annotated[int, typer.Option(min=0, max=1_000, help="Of these, for how many all gates must hold.")] = 3,
    model: _ModelName = None,
    base_url: _BaseUrl = None,
    temperature: _Temperature = None,
    max_tokens: _MaxTokens = None,
    effort: _Effort = None,
    timeout: _Timeout = 600.0,
    max_cost: _MaxCost = None,
    max_total_tokens: _MaxTotal = None,
    prices: _PricesFile = None,
    as_json: Json = False,
) -> None:
    """Let a language model write a blueprint, which then makes scenarios without end, offline."""
    place = Path(out) if out else store.own_folder()
    file = Path(briefs) if briefs else own_folder() / BRIEFS
    asking = _Asking.of(
        prices, None, model=model, base_url=base_url, temperature=temperature, max_tokens=max_tokens, effort=effort,
        timeout=timeout, max_cost=max_cost, max_total_tokens=max_total_tokens,
    )  # fmt: skip
    brief = _chosen(file, [name], 1, 0, asking, place)[0]
    with progress() as bars, asking.model(Log(place / LOG)) as asked:
        bar = bars.add_task("writing a blueprint", total=None, note="")
        outcome = write_blueprint(
            asked, brief, place, attempts=attempts, seeds=seeds_tried, gates_seeds=min(gates, seeds_tried),
            told=lambda writing: bars.update(bar, note=f"{writing.file} {writing.number}; {asking.told()}"),
        )  # fmt: skip
    if as_json:
        print_json(outcome.document())
    else:
        console = Console()
        if outcome.rejected:
            console.print(Text(f"{name}: {printable(outcome.rejected)}", style="red"))
        else:
            console.print(Text(f"The blueprint {outcome.folder}. {asking.told()}."))
            console.print(Text(f"Scenarios of it: awm-gym synth {outcome.folder} --count 100"))
    if outcome.rejected:
        raise typer.Exit(1)


class _StageCommand(NamedTuple):
    """A command that writes up to a stage: its last stage, "" for all, and its help."""

    until: str
    help: str


_COMMANDS = {
    "tasks": _StageCommand("tasks", "Write, for each brief, the tasks in words."),
    "schema": _StageCommand("schema", "Write up to the schema and its invariants."),
    "data": _StageCommand("data", "Write up to the data."),
    "tools": _StageCommand("tools", "Write up to the tools: what tasks expect, the interface, its SQL."),
    "verifiers": _StageCommand("", "Write all stages for the briefs there are; what the gates certify is kept."),
    "all": _StageCommand("", "All stages, briefs included: from seeds to certified scenarios."),
}
for _name, _command in _COMMANDS.items():
    synth.command(_name, help=_command.help)(run_stages)
