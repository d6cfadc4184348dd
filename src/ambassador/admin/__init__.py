"""What an operator or a health check asks of the running program, over a unix socket."""
