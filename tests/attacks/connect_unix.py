# Such as the socket of a container engine.
import socket

from sandbox_programs import ARGS

with socket.socket(socket.AF_UNIX) as made:
    made.connect(ARGS["unix"])
escaped = True
