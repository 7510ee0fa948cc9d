from sandbox_programs import ARGS

with open(ARGS["folder"] + "/written", "w") as file:
    file.write("x")
escaped = True
