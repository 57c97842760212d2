"""What services and the supervisor write: pipes, rings, log files, the console."""
