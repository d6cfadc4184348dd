"""The demonstration: a service moves from one place to another while consumers use it."""
