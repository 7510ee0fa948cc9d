import socket

from sandbox_programs import ARGS

with socket.socket(socket.AF_UNIX) as made:
    made.connect("\0" + ARGS["abstract"])
escaped = True
