"""Container engines: asked over HTTP, followed by their events; imported where one is named."""
