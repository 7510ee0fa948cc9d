"""The Gymnasium environment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.utils import EzPickle, RecordConstructorArgs
from rich.console import Console
from rich.text import Text

from awm_gym.allowed import AllowList
from awm_gym.arguments import Mistake, bind, read_call
from awm_gym.client import ROADS, Road, connect
from awm_gym.difficulty import of as difficulties
from awm_gym.episode import written
from awm_gym.errors import EnvironmentFault, EpisodeOver, UsageError, printable, shown, unknown
from awm_gym.imported import AwmWorld, Imported, Terms
from awm_gym.library import is_blueprint, made_scenario, open_playable
from awm_gym.live import Live, Playable, abandon, holds_at_start, judge, start
from awm_gym.reward import RewardScheme, scheme
from awm_gym.scenario import GIVE_UP, SUBMIT, JsonValue, Param, Scenario, Task, Tool, ToolCall
from awm_gym.server import ToolAnswer, ToolInfo, ToolServer
from awm_gym.soundness import submit_problem
from awm_gym.spaces import ToolCalls, Utf8
from awm_gym.verify import Verdict
from awm_gym.world import World

MAX_OBSERVATION = 40_000  # characters; results are cut at 32,000, and say so
_SUBMIT = "Say that the task is done{answer}. Ends the episode."
_GIVE_UP = Tool(
    name=GIVE_UP,
    description="Say that the task cannot be done, and why. Ends the episode.",
    params={"reason": Param(type="string", min_length=1, max_length=1_000, description="What stands in the way.")},
    sql="",
)
OVER = "The episode is over."
_DRAWS = 50  # scenarios that a reset draws before it says that none has a task of the difficulty asked for
_SEEDS = range(50)  # of a blueprint, unless `seeds` says otherwise: those that its author has tried


class ToolEnv(gym.Env[str, ToolCall], EzPickle):
    """Solve a task in a scenario by calling its tools.

    ## Observation Space
    `Utf8(40000)`: text. After `reset` the date, the time, whom the agent acts for, what the
    application is, and last the instruction; after `step` what the tool answered: rows as a JSON array of
    objects, or an error message.

    ## Action Space
    `ToolCalls`: `ToolCall(name, arguments)`, or the same as a mapping, as JSON text, or in the form
    of an OpenAI tool call. Any tool of the scenario; `submit` (with an `answer` if the task asks for one) and
    `give_up(reason)` end the episode.

    ## Rewards
    By default 1.0 for a solved task, with the step that ends the episode, else 0.0; where a language model judges
    imported data, 0.1 if it says "partially completed". `reward` chooses another scheme: see `awm_gym.reward`.

    ## Starting State
    The scenario's database, after the task's `given`. `reset(seed=...)` draws a task,
    `reset(options={"task": name})` chooses one.

    ## Episode End
    Terminated by `submit` or `give_up`. Truncated by Gymnasium's time limit (30 steps by default).

    ## Info
    Always `scenario`, `task`, `error_kind` (str, "" if the call succeeded), and `outcome`: "running", at the end
    "solved", "failed", "gave_up", "malformed" or "truncated". After `reset` also `tools`, a list of
    `{"name", "description", "input_schema"}`; the schemas are shared, treat them as read-only. At the end also
    `checks` (name -> bool), `stray_tables` (list of str) and `explanation` (str). Of imported data, `reset` also gives
    `sandbox`: what holds its generated code.

    Args:
        scenario: a name or id of the library or of imported data, a folder, a `Scenario` or `Imported`, or a
            blueprint: then each episode has a scenario of its own.
        task: the task of every episode; by default `reset` draws one.
        road: how calls reach the tool server: `direct` or `memory` (framed MCP in process).
        reward: `binary`, `graded`, `paper`, or a `RewardScheme`; by default `binary`, or `judged` where a model judges.
        render_mode: `ansi` (`render` answers the latest exchange) or `human` (every exchange is printed).
        seeds: with a blueprint, the seeds that `reset` draws from; `options={"scenario_seed": 17}` chooses one.
        difficulty: the lowest and the highest `awm_gym.difficulty.Difficulty.level` of the tasks that are drawn.
        allow_list: a list of tasks that passed an audit, or its file: others are not drawn.
        generated: with imported data, how its code is run: `awm_gym.imported.Terms`, or the same as a mapping.

    Raises:
        UsageError: an argument names what is not there, or no task is left to draw.
        ScenarioError: the scenario is malformed.
        SandboxUnavailable: this machine cannot lock up generated code.

    ```python
    env = gym.make("awm/parcel_lockers", task="hand_out_parcel")
    observation, info = env.reset(seed=0)
    observation, reward, *_ = env.step(ToolCall("find_parcels", {"recipient": "Okafor"}))
    ```
    """

    metadata = {"render_modes": ["ansi", "human"], "render_fps": 4}

    def __init__(
        self,
        scenario: str | Playable,
        task: str | None = None,
        road: str = "direct",
        reward: str | RewardScheme | None = None,
        render_mode: str | None = None,
        seeds: Sequence[int] | None = None,
        difficulty: tuple[float, float] | None = None,
        allow_list: str | Path | AllowList | None = None,
        generated: Terms | Mapping[str, Any] | None = None,
    ) -> None:
        EzPickle.__init__(self, scenario, task, road, reward, render_mode, seeds, difficulty, allow_list, generated)
        self._live: Live | None = None  # opened by the first reset: environments are also made to be looked at
        if not isinstance(scenario, (str, Scenario, Imported)):
            raise UsageError(f"scenario must be a name, a folder or a Scenario, not {shown(scenario)}")
        self.blueprint = scenario if isinstance(scenario, str) and is_blueprint(scenario) else None
        self.seeds, self.difficulty = _seeds(seeds, self.blueprint, scenario), _span(difficulty)
        self.allow_list = allow_list if isinstance(allow_list, AllowList | None) else AllowList.read(Path(allow_list))
        self._chosen_task = task
        if road not in ROADS:
            raise UsageError(unknown("road", road, ROADS))
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise UsageError(unknown("render mode", render_mode, self.metadata["render_modes"]))
        self.road, self.render_mode = road, render_mode
        self.observation_space = Utf8(MAX_OBSERVATION)
        self._road: Road | None = None
        self._task: Task | None = None
        self._outcome = ""
        self._at_start: dict[str, dict[str, bool]] = {}
        self._exchange = ""
        if self.blueprint is not None:
            self._open(made_scenario(self.blueprint, self.seeds[0]))
        else:
            self._open(open_playable(scenario, generated) if isinstance(scenario, str) else scenario)
        if generated is not None and not (isinstance(scenario, str) and isinstance(self.scenario, Imported)):
            raise UsageError(f"`generated` goes with the name of imported data, not with {shown(scenario)}")
        if self.blueprint is None and not self.task_names:
            raise self._too_narrow()
        by_model = isinstance(self.scenario, Imported) and self.scenario.terms.verifiers == "sql"
        self.reward_scheme = scheme(reward if reward is not None else "judged" if by_model else "binary")

    def _open(self, scenario: Playable) -> None:
        """Take a scenario, and drop the one before it."""
        self._drop()
        self.scenario: Playable = scenario
        task = self._chosen_task
        if task is not None and task not in scenario.tasks and self.blueprint is None:
            raise UsageError(unknown(f"task in {scenario.name}", task, scenario.tasks))
        self.task_names = tuple(name for name in scenario.tasks if task in (None, name))
        if self.allow_list is not None:
            listed = scenario.record.name if isinstance(scenario, Imported) else scenario.name
            allowed = self.allow_list.tasks(listed, scenario.fingerprint)
            self.task_names = tuple(name for name in self.task_names if name in allowed)
        if self.difficulty is not None:
            if isinstance(scenario, Imported):
                raise UsageError(f"the difficulty of {scenario.name} is not known: it is imported data")
            low, high = self.difficulty
            levels = difficulties(scenario)
            self.task_names = tuple(name for name in self.task_names if low <= levels[name].level <= high)
        self._submits = {name: _submit(scenario.tasks[name]) for name in scenario.tasks if task in (None, name)}
        self._documents = [tool.document for tool in scenario.tools.values()]
        ways_to_submit = {json.dumps(submit): submit for submit in self._submits.values()}
        tools = [ToolInfo(**document) for document in (*self._documents, *ways_to_submit.values(), _GIVE_UP.document)]
        self.action_space = ToolCalls(tools, scenario.now)
        self._at_start.clear()

    def _too_narrow(self) -> UsageError:
        if self.difficulty is None or isinstance(self.scenario, Imported):
            which = f"{self._chosen_task} is not" if self._chosen_task else "no task is"
            return UsageError(f"of {self.scenario.name} {which} on the allow-list; see awm-gym awm audit")
        levels = sorted(found.level for found in difficulties(self.scenario).values())
        return UsageError(
            f"no task of {self.scenario.name} has a difficulty from {self.difficulty[0]} to {self.difficulty[1]}; "
            f"there are levels from {levels[0]} to {levels[-1]}"
        )

    @property
    def world(self) -> World:
        """The live database. For verifiers and tools of developers, never for agents.

        Raises:
            ResetNeeded: there is none before the first `reset`.
            UsageError: the scenario is imported data, whose database its application keeps: see `live`.
        """
        live = self.live
        if isinstance(live, AwmWorld):
            raise UsageError(
                f"{self.scenario.name} is imported data: it has no world; env.unwrapped.live.image() has its database"
            )
        return live

    @property
    def live(self) -> Live:
        """What runs: a `World`, or the `AwmWorld` of imported data.

        Raises:
            ResetNeeded: there is none before the first `reset`.
        """
        if self._live is None:
            raise ResetNeeded("Cannot look at the world before calling reset()")
        return self._live

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Restore the initial database and draw a task, or take `options["task"]`.

        Of a blueprint, draw a scenario first, or take that of `options["scenario_seed"]`.

        Raises:
            UsageError: an option is unknown, or there is no such task.
        """
        if self._outcome == "closed":
            raise ClosedEnvironmentError("Cannot reset an environment that was closed; make a new one")
        wanted = self._options(options)
        super().reset(seed=seed)
        if self.blueprint is not None:
            self._draw_scenario(wanted)
        chosen = wanted.get("task")
        if chosen is not None and chosen not in self.task_names:
            raise UsageError(unknown(f"task in {self.scenario.name}", chosen, self.task_names))
        if self._live is None:
            self._live = start(self.scenario)
        if self._road is None:
            self._road = connect(self.road, ToolServer(self._live))
        if chosen is None:
            chosen = self.task_names[int(self.np_random.integers(len(self.task_names)))]
        self._live.reset(chosen)
        self._task = self._live.task
        assert self._task is not None  # a task was named
        if self.reward_scheme.partial and chosen not in self._at_start:
            self._at_start[chosen] = holds_at_start(self._live, self._task)
        self._outcome = "running"
        observation = (
            f"{self.scenario.greeting}\n{self.scenario.description.strip()}\n\n{self._task.instruction.strip()}"
        )
        self._show(observation)
        tools = [dict(document) for document in (*self._documents, self._submits[chosen], _GIVE_UP.document)]
        info = self._info("") | {"tools": tools}
        if isinstance(self._live, AwmWorld):
            info["sandbox"] = self._live.protection.to_json()
        return observation, info

    def _options(self, options: dict[str, Any] | None) -> dict[str, Any]:
        known = ["task"] if self.blueprint is None else ["task", "scenario_seed"]
        for key in options or {}:
            if key not in known:
                raise UsageError(unknown("reset option", key, known))
        return options or {}

    def _draw_scenario(self, wanted: dict[str, Any]) -> None:
        """Open the scenario of a seed; one without a task of the difficulty that was asked for gives way to another."""
        assert self.blueprint is not None  # reset saw to it
        if wanted.get("scenario_seed") is not None:
            self._open(made_scenario(self.blueprint, wanted["scenario_seed"]))
            if not self.task_names:
                raise self._too_narrow()
            return
        for _ in range(_DRAWS):
            seed = self.seeds[int(self.np_random.integers(len(self.seeds)))]
            self._open(made_scenario(self.blueprint, seed, keep=False))
            if self.task_names:
                return
        if self._chosen_task is not None and self._chosen_task not in self.scenario.tasks:
            raise UsageError(unknown(f"task in {self.scenario.name}", self._chosen_task, self.scenario.tasks))
        raise self._too_narrow()

    def step(self, action: ToolCall) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Call one tool, or end the episode. See the class for shapes.

        Raises:
            ResetNeeded: `reset` was not called.
            EpisodeOver: the episode has ended; call `reset`.
            ScenarioError: the scenario's own SQL is wrong.
            EnvironmentFault: the machinery failed; the episode is void.
        """
        if self._outcome == "closed":
            raise ClosedEnvironmentError("Cannot step an environment that was closed; make a new one")
        if self._task is None or self._road is None:
            raise ResetNeeded("Cannot call step() before calling reset()")
        if self._outcome != "running":
            raise EpisodeOver(f"the episode has ended ({self._outcome}); call reset() before the next step()")
        call = read_call(action)
        if isinstance(call, Mistake):
            return self._answered(action, ToolAnswer(call.text, call.kind))
        if call.name == SUBMIT:
            problem = submit_problem(self._task, call)
            if problem:
                return self._answered(call, ToolAnswer(problem, "invalid_arguments"))
            return self._ended(call, self._judged(call.arguments.get("answer")), gave_up=False)
        if call.name == GIVE_UP:
            reason = bind(_GIVE_UP, call.arguments)
            if isinstance(reason, Mistake):
                return self._answered(call, ToolAnswer(reason.text, reason.kind))
            return self._ended(call, self._judged(gave_up=True), gave_up=True)
        try:
            return self._answered(call, self._road.call_tool(call))
        except EnvironmentFault:
            self._give_up()
            raise

    def _judged(self, answer: JsonValue = None, *, gave_up: bool = False) -> Verdict:
        assert self._task is not None  # step saw to it
        try:
            return judge(self.live, self._task, answer, gave_up=gave_up)
        except EnvironmentFault:
            self._give_up()
            raise

    def _give_up(self) -> None:
        """After a fault: a call may still be at work in there, so the next reset takes new ones."""
        assert self._road is not None  # reset connected it
        self._road.close()
        abandon(self.live)
        self._road = self._live = None

    def _answered(self, action: object, answer: ToolAnswer) -> tuple[str, float, bool, bool, dict[str, Any]]:
        malformed = answer.kind == "malformed"
        if malformed and self.reward_scheme.ends_on_malformed:
            self._outcome = "malformed"
        self._show(answer.text, action)
        info = self._info(answer.kind or "")
        if self._outcome == "malformed":
            info |= {"checks": {}, "stray_tables": [], "explanation": f"Ended early: {answer.text}"}
        reward = self.reward_scheme.malformed if malformed else 0.0
        return answer.text, reward, self._outcome == "malformed", False, info

    def _ended(
        self, call: ToolCall, verdict: Verdict, *, gave_up: bool
    ) -> tuple[str, float, bool, bool, dict[str, Any]]:
        assert self._task is not None  # step saw to it
        self._outcome = "solved" if verdict.passed else "gave_up" if gave_up else "failed"
        reward = float(self.reward_scheme.of(verdict, self._at_start.get(self._task.name, {})))
        self._show(f"{OVER} {verdict.explanation}", call)
        info = self._info("") | {
            "checks": dict(verdict.checks),
            "stray_tables": list(verdict.stray_tables),
            "explanation": verdict.explanation,
        }
        return OVER, reward, True, False, info

    def _info(self, error_kind: str) -> dict[str, Any]:
        assert self._task is not None  # reset and step saw to it
        return {
            "scenario": self.scenario.name,
            "task": self._task.name,
            "error_kind": error_kind,
            "outcome": self._outcome,
        }

    def _show(self, answer: str, action: object = None) -> None:
        """Keep the latest exchange for `render`, or print it."""
        if self.render_mode is None:
            return
        call = "" if action is None else f"> {written(action)}\n"
        self._exchange = f"{call}{answer}"
        if self.render_mode == "human":
            console = Console()
            for text, style in ((call.rstrip(), "bold cyan"), (answer, "")):
                if text:  # what the terminal's encoding lacks is spelled out
                    encoded = printable(text).encode(console.encoding, "backslashreplace")
                    console.print(Text(encoded.decode(console.encoding), style=style))

    def render(self) -> str | None:
        """The latest exchange as text (`ansi`), or None: `human` prints by itself."""
        return self._exchange if self.render_mode == "ansi" else None

    def close(self) -> None:
        """Release the database and the road. Closing twice is harmless."""
        self._drop()
        self._outcome = "closed"

    def _drop(self) -> None:
        """Release the database and the road."""
        if self._road is not None:
            self._road.close()
            self._road = None
        if self._live is not None:
            self._live.close()
            self._live = None
        self._task = None


class TruncationOutcome(gym.Wrapper[str, ToolCall, str, ToolCall], RecordConstructorArgs):
    """Tells a truncated episode in `info["outcome"]`: the time limit, a wrapper, knows of no info."""

    def __init__(self, env: gym.Env[str, ToolCall]) -> None:
        RecordConstructorArgs.__init__(self)
        gym.Wrapper.__init__(self, env)

    def step(self, action: ToolCall) -> tuple[str, Any, bool, bool, dict[str, Any]]:
        """Step, and name the outcome if the episode was cut."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if truncated and not terminated:
            info["outcome"] = "truncated"
        return observation, reward, terminated, truncated, info


def _seeds(seeds: Sequence[int] | None, blueprint: str | None, scenario: object) -> Sequence[int]:
    if seeds is None:
        return _SEEDS
    if blueprint is None:
        raise UsageError(f"seeds are for blueprints, and {shown(scenario)} is one scenario")
    if not isinstance(seeds, Sequence) or isinstance(seeds, str) or not seeds:
        raise UsageError(f"seeds must be a range or a list of whole numbers, not {shown(seeds)}")
    return seeds


def _span(span: tuple[float, float] | None) -> tuple[float, float] | None:
    numbers = isinstance(span, (tuple, list)) and len(span) == 2 and all(type(end) in (int, float) for end in span)
    if span is not None and (not numbers or not span[0] <= span[1]):
        raise UsageError(f"difficulty must be (lowest, highest), such as (5, 12), not {shown(span)}")
    return span


def _submit(task: Task) -> dict[str, Any]:
    """`submit` as this task offers it."""
    description = _SUBMIT.format(answer=" and answer" if task.answer else "")
    return {"name": SUBMIT, "description": description, "input_schema": task.submit_schema}
