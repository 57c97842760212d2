"""Supervises containers: one task for each service, and what outlives the supervisor."""
