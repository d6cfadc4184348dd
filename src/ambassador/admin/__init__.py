"""The admin API: requests of operators and health checks to the running program, over HTTP."""
