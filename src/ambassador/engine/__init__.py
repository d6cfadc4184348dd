"""Container engines: asked over HTTP, followed by their events; imported where an endpoint needs
one.
"""
