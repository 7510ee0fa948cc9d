"""Before a fork: code that calls run, laid side by side.

A process that is forked copies each page of memory that it writes to, and running Python code writes to it: it is
counted who uses it. Library code lies where it was when it was imported, a function that runs among many that do not.
Copies of what runs, made in one go, take a fraction of the pages.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import CodeType, FrameType, FunctionType
from typing import Any

# How many bytes objects of which sizes fill holes: Python keeps those of up to 512 bytes in pools of equals.
_HOLES = {range(48, 513, 16): 400, range(528, 4_097, 16): 8}
_HEADER = 40  # bytes that an object is larger than its content, at least
_filling: list[object] = []  # kept for good


def gather(run: Callable[[], object]) -> None:
    """Run something, and lay the code of all functions that took part in it side by side."""
    witness = _Witness()
    sys.setprofile(witness.note)
    try:
        run()
    finally:
        sys.setprofile(None)
    _fill()
    _filling.append(witness.codes)  # they would leave holes, too
    copies = {identity: code.replace() for identity, code in witness.codes.items()}
    gc.unfreeze()  # or those that have been frozen are not found
    for function in gc.get_objects():
        if type(function) is FunctionType and id(function.__code__) in copies:
            function.__code__ = copies[id(function.__code__)]
    gc.freeze()


class _Witness:
    """Sees what code runs, in the order of its first call. It goes by identity: equal code may belong to several."""

    def __init__(self) -> None:
        self.codes: dict[int, CodeType] = {}

    def note(self, frame: FrameType, event: str, _: Any) -> None:
        """What `sys.setprofile` wants."""
        if event == "call":
            self.codes.setdefault(id(frame.f_code), frame.f_code)


def _fill() -> None:
    """Fill the holes that freed objects have left all over the memory, so that new ones come to lie in new pages."""
    for sizes, count in _HOLES.items():
        _filling.extend(bytes(size - _HEADER) for size in sizes for _ in range(count))
