"""Processes of this machine: spawning, reaping, sessions, locks."""
