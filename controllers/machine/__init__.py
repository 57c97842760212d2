"""The machine API: services, logs and events for people and tools, as Talos serves them."""
