"""OCI bundles: specification, mounts and environment of a container, and the runtime's commands."""
