"""How a listening socket is created, or taken over."""
