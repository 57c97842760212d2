"""Supervision of containers: one task for each service, and the files that outlive it."""
