"""Async primitives below everything else: wakers, shields, calls into an event loop."""
