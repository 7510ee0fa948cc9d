import threading

from sandbox_programs import ARGS

stop = threading.Event()
made = []
try:
    for _ in range(ARGS["threads"]):
        thread = threading.Thread(target=stop.wait, daemon=True)
        thread.start()
        made.append(thread)
finally:
    stop.set()
    for thread in made:
        thread.join()
escaped = True
