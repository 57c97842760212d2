"""The real `cosi`, as a process of its own that did not have to import it first."""
