"""What a resource is: envelope, metadata, payload, and their YAML form."""
