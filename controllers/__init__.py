"""Extension services: one file for each controller, and the rooms below them."""
