import os

from sandbox_programs import ARGS

os.kill(ARGS["trainer"], 0)
escaped = True
