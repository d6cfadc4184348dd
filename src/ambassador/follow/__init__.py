"""Adapters that follow the primary of a replicated store; imported where a route follows one."""
