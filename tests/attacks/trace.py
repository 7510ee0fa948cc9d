import ctypes
import os

from sandbox_programs import ARGS

libc = ctypes.CDLL(None, use_errno=True)
seize = 0x4206
if libc.ptrace(seize, ARGS["victim"], None, None) != 0:
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
escaped = True
