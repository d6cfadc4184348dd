"""Where routes come from: one module for each source."""
