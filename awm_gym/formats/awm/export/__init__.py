"""Native scenarios as AgentWorldModel data: databases, applications, verifiers, and the proof that nothing was lost.

An exported program needs no awm_gym. What it shares with us (how a clock ticks, how answers compare) is our own source,
copied into it definition by definition: see `linking`.
"""
