"""Resources: envelope, metadata, payload, and their YAML form."""
