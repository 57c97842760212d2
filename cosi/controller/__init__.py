"""Controllers: declarations, handles, and the three sizes (function, loop, keyed)."""
