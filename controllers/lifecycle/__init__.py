"""The decisions about a service: its conditions, its next stage, its restarts, the stop order.

Nothing in here touches the state, a container or a clock; the controllers do.
"""
