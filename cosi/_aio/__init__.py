"""What waits and wakes below everything else: wakers, shields, the way into an event loop."""
