"""Files of the host, reached without following links, and as a container sees them."""
