"""The rim between services and the processes of the host: drivers, and what they are made of."""
