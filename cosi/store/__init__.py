"""Stores: the in-memory state, its watches and history, and durable stores below it."""
