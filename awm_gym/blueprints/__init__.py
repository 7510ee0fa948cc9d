"""Blueprints: grammars for one kind of application each, from which a seed yields a whole scenario."""
