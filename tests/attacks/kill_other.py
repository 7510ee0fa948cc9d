import os

from sandbox_programs import ARGS

os.kill(ARGS["victim"], 9)
escaped = True
