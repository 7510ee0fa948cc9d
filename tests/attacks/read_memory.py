# Of another process: the file that tells where it lies.
from pathlib import Path

from sandbox_programs import ARGS

escaped = Path(f"/proc/{ARGS['victim']}/maps").read_text("utf-8") != ""
