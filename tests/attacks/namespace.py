# In a user namespace of its own a process is root.
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x10000000) != 0:
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
escaped = True
