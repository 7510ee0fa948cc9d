# A pair of datagram sockets is not bound to its other half: it may send to any name.
import socket

from sandbox_programs import ARGS

here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
with here, there:
    here.sendto(b"x", ARGS["datagram"])
escaped = True
