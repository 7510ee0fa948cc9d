"""Verifiers that refuse collateral damage, for tasks whose known solution is paid."""

from __future__ import annotations

from collections.abc import Iterable

from awm_gym.formats.awm.images import Difference, Value
from awm_gym.formats.awm.repair.program import block

MAX_ROWS = 200  # that a solution may change and still have a frame
_VERIFY = "verify_task_completion"


def framed(code: str, read: Iterable[str], differences: Iterable[Difference]) -> str:
    """A verifier that pays only if nothing changed but what a solution changes, and tables that it reads.

    Args:
        code: the verifier, of the kind code.
        read: tables that it reads.
        differences: between the database before and after a solution.
    """
    changed: dict[str, set[tuple[Value, ...]]] = {}
    for row in differences:
        changed.setdefault(row.table, set()).update([] if row.kind == "added" else [tuple(row.key.values())])
    spelled = ", ".join(f"{table!r}: {_keys(keys)}" for table, keys in sorted(changed.items()))
    tables = tuple(sorted(set(read) - set(changed)))
    return f"{code.rstrip()}\n\n\n{block('frame')}\n\n{_VERIFY} = _awm_framed({_VERIFY}, {tables!r}, {{{spelled}}})\n"


def _keys(keys: set[tuple[Value, ...]]) -> str:
    return "{" + ", ".join(sorted(map(repr, keys))) + "}" if keys else "set()"
