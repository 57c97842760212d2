"""Commands of ``cosi`` for services and their definition files."""
