"""Where routes come from, one module a source."""
