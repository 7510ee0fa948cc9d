import socket

from sandbox_programs import ARGS

with socket.socket() as made:
    made.settimeout(2)
    made.connect(("127.0.0.1", ARGS["port"]))
escaped = True
