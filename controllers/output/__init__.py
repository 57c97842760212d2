"""The output of services: pipes, ring buffers, log files, the console."""
