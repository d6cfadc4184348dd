"""The loop that owns the routes, what it decides with and what it answers."""
