import os
import time

from sandbox_programs import ARGS

made = 0
for _ in range(ARGS["forks"]):
    if os.fork() == 0:
        time.sleep(600)
        os._exit(0)
    made += 1
escaped = made == ARGS["forks"]
