"""Processes of this machine: pidfds, reaping, sessions, run directories, the instance lock."""
