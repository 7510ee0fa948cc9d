import os
from pathlib import Path

from sandbox_programs import ARGS

found = [name for name, value in os.environ.items() if "planted" in value]
for process in (ARGS["victim"], os.getppid(), ARGS["trainer"], "self"):
    try:
        if b"planted" in Path(f"/proc/{process}/environ").read_bytes():
            found.append(f"/proc/{process}")
    except OSError as error:
        why = str(error)
escaped = found
