"""The main job in ten seconds: a service, an ambassador, a consumer, and a move under its feet."""
