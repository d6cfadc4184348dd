"""One ambassador takes over from another: listeners change hands on a unix socket."""
