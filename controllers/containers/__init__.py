"""The rim where containers are: drivers, and what they share."""
