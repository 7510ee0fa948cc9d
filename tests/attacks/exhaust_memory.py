from sandbox_programs import ARGS

kept = []
for _ in range(ARGS["mib"] // 16):
    kept.append(b"x" * 2**24)
escaped = True
