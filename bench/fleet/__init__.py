"""A fleet on one machine: real ambassadors, then thousands that watch, and a move under them."""
