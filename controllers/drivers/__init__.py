"""Drivers: how containers are made, started and stopped."""
