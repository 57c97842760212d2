"""Where resources live in this process: the in-memory state, and the seam to durable stores."""
