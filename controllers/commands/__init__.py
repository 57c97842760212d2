"""Commands of `cosi` that know services, and the definitions of services."""
