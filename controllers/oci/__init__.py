"""OCI bundles: the spec of a container, its mounts and environment, and the runtime's command line."""
