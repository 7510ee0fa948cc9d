"""What is wrong with AgentWorldModel data: databases, tools, verifiers, and which tasks can be trusted for all that."""
