"""Runs controllers over a state: the runtime, its adapters, its queues and its informers."""
