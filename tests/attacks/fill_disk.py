# In a sandbox without a writable folder this ends at the first file.
from sandbox_programs import ARGS

written = 0
for number in range(64):
    with open(f"{ARGS['folder']}/fill_{number}", "wb") as file:
        written += file.write(b"x" * 2**16)
escaped = written == 64 * 2**16
