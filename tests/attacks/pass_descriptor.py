# Over a pair, to a process that could do more with it.
import socket

here, there = socket.socketpair()
with here, there:
    socket.send_fds(here, [b"x"], [1])
escaped = True
