"""One ambassador takes over from another: listeners and sessions are passed over a unix socket."""
