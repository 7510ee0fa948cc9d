import socket

from sandbox_programs import ARGS

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
    made.sendto(b"x", ("127.0.0.1", ARGS["port"]))
escaped = True
