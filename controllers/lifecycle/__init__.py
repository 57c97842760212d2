"""The life of a service, decided: what it waits for, what comes next, in which order all stop.

Nothing in here touches the state, a container or a clock; the controllers do.
"""
