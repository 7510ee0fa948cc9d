"""The first code of a fresh interpreter: it imports this package's sandbox, but not the package's front.

`awm_gym/__init__.py` brings Gymnasium, NumPy and their threads, which no worker needs and no process should fork with;
a bare module of the same name stands in for it. Run as a script, with the descriptor of the channel as its argument.
"""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path


def main() -> None:
    """Be a zygote until the trainer ends."""
    bare = types.ModuleType("awm_gym")
    bare.__path__ = [str(Path(__file__).parent.parent)]
    sys.modules["awm_gym"] = bare
    importlib.import_module("awm_gym.sandbox.serve").zygote(int(sys.argv[1]))


if __name__ == "__main__":
    main()
