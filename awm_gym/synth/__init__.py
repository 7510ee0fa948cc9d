"""Synthesis: authors write scenarios stage by stage, gates judge each stage, and what is not whole is rejected."""
