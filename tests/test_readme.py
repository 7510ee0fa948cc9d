"""The README holds: its start runs, its tree is the tree, its commands exist."""

import re
import tomllib
from pathlib import Path

import pytest

from awm_gym.gates import GATES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_the_start_runs_and_solves_its_task(capsys):
    start = re.search(r"```python\n(.*?)```", README, re.S)
    assert start is not None
    namespace = {}
    exec(start.group(1), namespace)  # our own README, not content
    assert namespace["reward"] == 1.0
    assert namespace["info"]["outcome"] == "solved"
    assert capsys.readouterr().out.endswith("1.0 solved Solved: every check holds and nothing else changed.\n")
    namespace["env"].close()


def test_the_start_is_twelve_lines():
    start = re.search(r"```python\n(.*?)```", README, re.S).group(1)
    assert len([line for line in start.splitlines() if line.strip()]) <= 12


def test_the_tree_is_the_tree():
    listing = README.partition("## The tree\n\n```\n")[2].partition("```")[0]
    told = set(re.findall(r"^  ([a-z_]+(?:\.py|/))", listing.partition("envs_data/")[0], re.M))
    package = ROOT / "awm_gym"
    there = {path.name for path in package.glob("*.py") if not path.name.startswith("__")}
    there |= {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    assert told == there


@pytest.mark.parametrize("script", sorted(set(re.findall(r"sh (scripts/\w+)", README))))
def test_every_script_it_names_exists(script):
    assert (ROOT / script).is_file()


def test_the_toml_of_its_examples_is_read(tmp_path):
    blocks = re.findall(r"```toml\n(.*?)```", README, re.S)
    assert len(blocks) == 7
    for block in blocks:
        assert tomllib.loads(block)


def test_the_table_of_gates_is_the_gates():
    told = re.findall(r"^\| (\w+) \|", README.partition("## Proofs")[2].partition("## ")[0], re.M)
    assert told[1:] == [gate.__name__ for gate in GATES]


def test_every_gate_says_what_it_proves_and_the_remedy():
    for gate in GATES:
        first, *rest = gate.__doc__.strip().splitlines()
        assert first.endswith(".")
        assert any(line.strip().startswith("Remedy: ") for line in rest), gate.__name__
