"""Policies: what acts in an environment. Scripted ones, and a person at a terminal."""
