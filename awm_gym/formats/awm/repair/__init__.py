"""AgentWorldModel data mended where that is safe: their SQL, their applications, their verifiers; and what was done."""
