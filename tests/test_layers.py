"""The layers: a module imports only from rows above its own."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "awm_gym"
ROWS = """
errors places processes
scenario sql
arguments database speech
answers tools episode allowed
world expected
verify difficulty
soundness reward
files
gates
blueprints llm sandbox
formats
imported
imports live
server
spaces mcp_sdk
client library
env agents suites
synth
check demo terminal
__init__
cli_synth cli_awm
cli
__main__ bench
"""
ROW = {module: number for number, line in enumerate(ROWS.split("\n")) for module in line.split()}
LEAN = {module for module, row in ROW.items() if row <= ROW["gates"]}  # need no Gymnasium, no MCP, no network


def unit(path):
    """The module or the subpackage that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """Absolute names of all that a file imports, also inside functions and through importlib."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.import_module":
            yield ast.unparse(node.args[0]).strip("'")


FILES = sorted(PACKAGE.rglob("*.py"))


def test_every_module_has_a_row_and_every_row_a_module():
    assert {unit(path) for path in FILES} == set(ROW)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_rows_above_it(path):
    own = unit(path)
    for name in imported(path):
        head, _, rest = name.partition(".")
        if head == "awm_gym":
            found = rest.partition(".")[0]
            found = found if (PACKAGE / found).is_dir() or (PACKAGE / f"{found}.py").is_file() else "__init__"
            assert found == own or ROW[found] < ROW[own], f"{own} imports {found}, which stands below it"


@pytest.mark.parametrize("path", [path for path in FILES if unit(path) in LEAN], ids=lambda path: path.stem)
def test_a_scenario_is_loaded_and_proved_without_gymnasium_and_mcp(path):
    heads = {name.partition(".")[0] for name in imported(path)}
    assert heads <= {"awm_gym", "apsw", "platformdirs", "pydantic", *sys.stdlib_module_names}
