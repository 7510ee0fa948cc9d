"""What models cost, what was spent, and the log of every request."""

from __future__ import annotations

import json
import re
import threading
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from awm_gym import places
from awm_gym.errors import BudgetSpent, UsageError, shown
from awm_gym.llm.settings import Settings

_DATED = re.compile(r"(?:-\d{4}-\d\d-\d\d|-\d{8}|-\d{4}|-latest)$")  # a dated name is priced as the name without


class Usage(NamedTuple):
    """Tokens of one or more requests."""

    prompt: int = 0
    completion: int = 0

    @property
    def total(self) -> int:
        """All tokens."""
        return self.prompt + self.completion

    def plus(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(self.prompt + other.prompt, self.completion + other.completion)


class Price(NamedTuple):
    """US dollars for a million tokens."""

    prompt: float
    completion: float

    def of(self, usage: Usage) -> float:
        """What tokens cost, in US dollars. Discounts are not known here, so it is an upper bound."""
        return (usage.prompt * self.prompt + usage.completion * self.completion) / 1_000_000


class Prices:
    """What models cost: the table that comes with the package, and the user's own over it.

    Args:
        own: a TOML file of the same form; None for none.

    Raises:
        UsageError: the file cannot be read, or is no table of prices.
    """

    def __init__(self, own: str | Path | None = None) -> None:
        self._table = _table(places.root() / "prices.toml")
        if own is not None:
            self._table |= _table(Path(own))

    def of(self, model: str) -> Price | None:
        """The price of a model: of its name, else without a provider before it or a date behind it; None if unknown."""
        bare = model.rpartition("/")[2]
        names = (model, bare, _DATED.sub("", bare))
        return next((self._table[name] for name in names if name in self._table), None)


def _table(file: Path) -> dict[str, Price]:
    try:
        rows = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read as a table of prices: {error}") from error
    return {name: _price(file, name, row) for name, row in rows.items()}


def _price(file: Path, name: str, row: Any) -> Price:
    fits = isinstance(row, dict) and set(row) == set(Price._fields)
    if not fits or not all(type(value) in (int, float) and 0 <= value < float("inf") for value in row.values()):
        form = f'["{name}"] with prompt and completion, US dollars for a million tokens'
        raise UsageError(f"{file}: {shown(name)} must have the form {form}, not {shown(row)}.")
    return Price(**row)


class Spent(NamedTuple):
    """What requests took.

    Attributes:
        requests: that a server answered.
        kept: answers kept from earlier, which cost nothing now.
        usage: tokens of the requests.
        kept_usage: tokens that the kept answers took when they were made.
        dollars: what the requests cost, by list prices; nothing for models without a price.
    """

    requests: int = 0
    kept: int = 0
    usage: Usage = Usage()
    kept_usage: Usage = Usage()
    dollars: float = 0.0

    def plus(self, other: Spent) -> Spent:
        """Both together."""
        return Spent(
            self.requests + other.requests,
            self.kept + other.kept,
            self.usage.plus(other.usage),
            self.kept_usage.plus(other.kept_usage),
            self.dollars + other.dollars,
        )


class Ledger:
    """What was spent, by scenario and stage, and whether more may be. Safe to use from many threads.

    Args:
        settings: with the bounds and the models.
        prices: None for those of the package.

    Raises:
        UsageError: the cost is bounded, but a model has no price.
    """

    def __init__(self, settings: Settings, prices: Prices | None = None) -> None:
        self._settings = settings
        self._prices = prices or Prices()
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, str, str], Spent] = {}  # (scenario, stage, model) -> without dollars
        self._paid: dict[str, Usage] = {}  # model -> tokens of all its requests
        unpriced = self.unpriced()
        if settings.max_cost is not None and unpriced:
            raise UsageError(f"{unpriced[0]} has no price, so --max-cost cannot be kept; add one with --prices.")

    def unpriced(self) -> tuple[str, ...]:
        """The models of the settings that have no price."""
        return tuple(name for name in self._settings.all_models() if self._prices.of(name) is None)

    def add(self, scenario: str, stage: str, model: str, usage: Usage, *, kept: bool) -> None:
        """Write an answer down; `kept` if it was made earlier."""
        entry = Spent(kept=1, kept_usage=usage) if kept else Spent(requests=1, usage=usage)
        key = (scenario, stage, model)
        with self._lock:
            self._entries[key] = self._entries.get(key, Spent()).plus(entry)
            self._paid[model] = self._paid.get(model, Usage()).plus(entry.usage)

    def check(self) -> None:
        """Stop before a request that the budget does not cover.

        Raises:
            BudgetSpent: the dollars or the tokens are spent.
        """
        most_dollars, most_tokens = self._settings.max_cost, self._settings.max_total_tokens
        with self._lock:
            paid = sorted(self._paid.items())
        dollars = sum(self._dollars(model, usage) for model, usage in paid)
        tokens = sum(usage.total for _, usage in paid)
        if most_dollars is not None and dollars >= most_dollars:
            raise BudgetSpent(f"The budget of ${most_dollars:g} is spent (${dollars:.4f}). {_GO_ON}")
        if most_tokens is not None and tokens >= most_tokens:
            raise BudgetSpent(f"The budget of {most_tokens} tokens is spent ({tokens}). {_GO_ON}")

    def spent(self, scenario: str | None = None) -> Spent:
        """What was spent for a scenario; for all if none is named."""
        total = Spent()
        for (owner, _), spent in self.table().items():
            if scenario in (None, owner):
                total = total.plus(spent)
        return total

    def by_stage(self, scenario: str | None = None) -> dict[str, Spent]:
        """What was spent in each stage, for a scenario or for all."""
        stages: dict[str, Spent] = {}
        for (owner, stage), spent in self.table().items():
            if scenario in (None, owner):
                stages[stage] = stages.get(stage, Spent()).plus(spent)
        return stages

    def table(self) -> dict[tuple[str, str], Spent]:
        """What was spent, by scenario and stage, in the order of their names."""
        with self._lock:
            entries = sorted(self._entries.items())
        table: dict[tuple[str, str], Spent] = {}
        for (scenario, stage, model), entry in entries:  # summed in a fixed order: the same dollars on every run
            priced = entry._replace(dollars=self._dollars(model, entry.usage))
            table[scenario, stage] = table.get((scenario, stage), Spent()).plus(priced)
        return table

    def _dollars(self, model: str, usage: Usage) -> float:
        price = self._prices.of(model)
        return price.of(usage) if price else 0.0


_GO_ON = "What was made is kept; raise the bound and run again to go on."


class Log:
    """A JSONL file with every request; nothing if there is no path. Safe to use from many threads.

    Args:
        path: the file; lines are appended to it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._begun = False

    def write(self, kind: str, **entry: Any) -> None:
        """Append one line, at once.

        Raises:
            UsageError: the file cannot be written.
        """
        if self._path is None:
            return
        line = _line({"kind": kind, **entry})
        try:
            with self._lock:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                    file.write(line if self._begun or not _torn(self._path) else "\n" + line)
                self._begun = True
        except OSError as error:
            raise UsageError(f"The log {self._path} cannot be written: {error.strerror}.") from error


def _torn(path: Path) -> bool:
    """Whether the last line was cut when an earlier run was killed."""
    with path.open("rb") as file:
        return file.seek(0, 2) > 0 and file.seek(-1, 2) >= 0 and file.read() != b"\n"


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False) + "\n"
