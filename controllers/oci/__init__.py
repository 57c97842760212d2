"""OCI bundles: the container spec, its mounts and environment, the runtime's command line."""
