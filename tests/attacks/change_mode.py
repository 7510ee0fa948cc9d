import os

from sandbox_programs import ARGS

os.chmod(ARGS["secret"], 0o777)
escaped = True
