"""Text written by a model, run as Python behind bars.

Nothing here knows what the text is about: a *program* of ours, named when a worker starts, hosts it and answers calls.
The trainer never forks itself and never imports such text. It starts a fresh interpreter, the zygote, with an empty
environment; the zygote imports trusted libraries once and forks workers; a worker locks itself up before it runs
anything that is not ours; and a worker that has loaded its text forks children, one for each episode.

    trainer --exec--> zygote --fork--> worker, locked --fork--> child, locked further

What holds, on Linux: no file system, no network, no exec, no signals, no executable memory; bounded memory, processes
and output. What does not: a worker may lie about itself, so a verdict must come from another worker; what it did to
itself its children inherit; it may use up its time, and each of its processes its memory; and a flaw of the kernel is a
way out. Nothing that comes back is trusted: frames are JSON, bounded before they are read, and late, garbled or missing
ones are an `EnvironmentFault`.

    frames      the frames of a conversation: JSON and bytes
    protection  which layers are in force, and whether that is enough
    syscalls    numbers of system calls, and making them
    seccomp     the filter of system calls
    landlock    the ruleset that no path and no port is in
    lockdown    installing all layers, in their order
    boot        the first code of a fresh interpreter
    serve       inside: the zygote, the workers, their children
    selftest    a program that tries what must fail
    line        outside: one conversation, with deadlines
    process     outside: whoever is at the other end, asked one thing at a time
    zygote      outside: fresh interpreters, one for each set of modules
    worker      outside: starting workers, calling them, ending them
    doctor      what this machine offers, as a table
"""
