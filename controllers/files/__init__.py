"""Files of the host: access without following links, and paths as a container sees them."""
