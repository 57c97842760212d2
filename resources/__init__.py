"""The resources of extension services: plain data, one file for each type."""
