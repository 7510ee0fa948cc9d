"""The baseline's processes for generated code: one that serves an application, and one that runs a verifier.

As the original does: the application is the generated module, with the database and the port of its own put in; the
verifier is executed on two files. Nothing holds them. Run as a script, it imports nothing of awm_gym.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any

ENGINE, RUN = "create_engine(", "uvicorn.run("
_OWN = {ENGINE: "_awm_engine(", RUN: "_awm_run("}
VERIFIER = "verify_task_completion"


def patched(code: str) -> str:
    """An application that asks us for its engine, and for its server."""
    for theirs, ours in _OWN.items():
        code = code.replace(theirs, ours)
    return code


def serve(code: str, database: str, descriptor: int) -> None:
    """Run an application on a file and on a listening socket, until this process is killed or its parent ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["DATABASE_PATH"] = f"sqlite:///{database}"

    def engine(*_: Any, **__: Any) -> Any:
        create = importlib.import_module("sqlalchemy").create_engine
        return create(f"sqlite:///{database}", connect_args={"check_same_thread": False})

    def run(*_: Any, **__: Any) -> None:
        uvicorn = importlib.import_module("uvicorn")
        # The protocol must be named, or asyncio does not know that it may send at once (TCP_NODELAY): 40 ms a call.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=descriptor)
        config = uvicorn.Config(names["app"], log_level="error", access_log=False)
        uvicorn.Server(config).run(sockets=[listening])

    names = vars(sys.modules["__main__"])
    names |= {"_awm_engine": engine, "_awm_run": run}
    exec(compile(patched(code), "<application>", "exec"), names)
    run()  # for an application that does not do so itself


def verify(code: str, initial: str, final: str, answer: str) -> Any:
    """What a verifier says."""
    names: dict[str, Any] = {"__name__": "verifier"}
    exec(compile(code, "<verifier>", "exec"), names)
    return names[VERIFIER](initial, final, answer)


def _end_with_parent() -> None:
    os.read(0, 1)  # the parent holds the other end and never writes: this returns when it is gone
    os._exit(0)


def main(what: str, file: str, *rest: str) -> None:
    """Be one of the two."""
    code = Path(file).read_text("utf-8")
    if what == "serve":
        serve(code, rest[0], int(rest[1]))
    else:
        print(json.dumps(verify(code, *rest), default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
