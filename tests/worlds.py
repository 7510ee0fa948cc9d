"""Small scenarios for tests: a market stall whose tools fail in every way, written to a folder and edited."""

from pathlib import Path

from awm_gym.files import load
from awm_gym.scenario import Scenario

STALL = {
    "scenario.toml": """
name = "stall"
version = 3
title = "A fruit stall on a market"
description = "A seller notes what is on the stall. Prices are in cents."
now = "2025-05-02T08:00:00"
user = { id = 1, of = "seller", name = "Ada Quist", role = "seller" }
""",
    "schema.sql": """
CREATE TABLE seller (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
CREATE TABLE fruit (
  id     INTEGER PRIMARY KEY,
  name   TEXT NOT NULL UNIQUE,
  price  INTEGER NOT NULL CHECK (price > 0),
  stock  INTEGER NOT NULL DEFAULT 0 CHECK (stock >= 0)
) STRICT;
""",
    "invariants.sql": "-- A fruit is never sold below its stock.\nSELECT id FROM fruit WHERE stock < 0;\n",
    "data.sql": """
INSERT INTO seller (id, name) VALUES (1, 'Ada Quist'), (2, 'Bo Quist');
INSERT INTO fruit (id, name, price, stock) VALUES (1, 'apple', 30, 12), (2, 'pear', 45, 5), (3, 'fig', 80, 0);
""",
    "tools.toml": """
[list_fruit]
description = "What is on the stall, by name."
params.stocked = { type = "boolean", optional = true, description = "True: only what is in stock." }
sql = "SELECT id, name, price, stock FROM fruit WHERE :stocked IS NULL OR (stock > 0) = :stocked ORDER BY name, id;"

[add_fruit]
description = "Put a new fruit on the stall."
params.name = { type = "string", max_length = 40, description = "Its name." }
params.price = { type = "integer", description = "Cents apiece." }
sql = "INSERT INTO fruit (name, price) VALUES (:name, :price) RETURNING id;"

[sell]
description = "Sell some of a fruit."
params.fruit_id = { type = "integer", of = "fruit", description = "The fruit." }
params.amount = { type = "integer", default = 1, minimum = 1, maximum = 100, description = "How many." }
sql = '''
SELECT refuse('There are only ' || stock || ' left.') FROM fruit WHERE id = :fruit_id AND stock < :amount;
UPDATE fruit SET stock = stock - :amount WHERE id = :fruit_id RETURNING stock;
'''

[count_to]
description = "Count, a row a number."
params.number = { type = "integer", minimum = 0, description = "The last." }
sql = '''
WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < :number) SELECT i FROM n ORDER BY i;
'''

[shelve]
description = "Count something into the books: writes until the budget of steps is spent."
params.number = { type = "integer", minimum = 0, description = "How often." }
sql = '''
WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < :number)
UPDATE fruit SET stock = (SELECT count(*) FROM n) WHERE id = 3;
'''

[read_note]
description = "A tool whose author slipped: it breaks at one word."
params.note = { type = "string", description = "A note." }
sql = "SELECT json_extract(iif(:note = 'torn', '{', '[7]'), '$[0]') AS lines;"

[plan]
description = "Takes one argument of every type."
params.day = { type = "date", description = "A day." }
params.at = { type = "datetime", description = "A moment." }
params.share = { type = "number", minimum = 0.004, maximum = 1.004, description = "A share." }
params.close = { type = "number", minimum = 1.25, maximum = 1.5, optional = true, description = "A narrow range." }
params.size = { type = "string", enum = ["small", "large"], description = "A size." }
params.label = { type = "string", min_length = 30, max_length = 32, optional = true, description = "A long label." }
params.ids = { type = "array", items = "integer", min_items = 2, max_items = 3, unique = true, description = "Ids." }
params.open = { type = "boolean", default = false, description = "Open or not." }
sql = '''
SELECT :day AS day, :at AS at, :share AS share, :close AS close, :size AS size, :label AS label, :ids AS ids,
  :open AS open;
'''
""",
    "tasks.toml": """
[sell_two]
instruction = "Sell two apples, and a pear."
solution = [
  { name = "sell", arguments = { fruit_id = 1, amount = 2 } },
  { name = "sell", arguments = { fruit_id = 2 } },
]
[sell_two.changes]
fruit = [{ id = 1, stock = 10 }, { id = 2, stock = 4 }]

[stocked_names]
instruction = "Which fruits are in stock? Answer with their names, any order."
answer = { type = "list", items = "string", ordered = false }
expect = "SELECT name FROM fruit WHERE stock > 0 ORDER BY id"
solution = [
  { name = "list_fruit", arguments = { stocked = true } },
  { name = "submit", arguments = { answer = ["pear", "apple"] } },
]
[stocked_names.checks]
two_are_named = "json_array_length(:answer) = 2"

[sell_figs]
instruction = "Sell three figs."
infeasible = { why = "There are no figs.", lifted_by = "UPDATE fruit SET stock = 9 WHERE id = 3;", shown_by = [
  { name = "list_fruit", arguments = {} },
] }
solution = [{ name = "sell", arguments = { fruit_id = 3, amount = 3 } }]
[sell_figs.changes]
fruit = [{ id = 3, stock = 6 }]
""",
}


def write(folder: Path, texts: dict[str, str] = STALL, **edits: tuple[str, str]) -> Path:
    """Write a scenario's files; `tools=(old, new)` replaces a text in tools.toml or tools.sql."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        old, new = edits.get(name.partition(".")[0], ("", ""))
        assert old in text, f"{old!r} is not in {name}"
        (folder / name).write_text(text.replace(old, new, 1) if old else text, encoding="utf-8")
    return folder


def stall(tmp_path: Path, **edits: tuple[str, str]) -> Scenario:
    """The market stall, edited as `write` does."""
    return load(write(tmp_path / "stall", **edits))
