"""What a route does, whichever plane carries it: one suite for all planes."""
