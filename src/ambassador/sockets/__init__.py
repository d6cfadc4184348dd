"""How a listening socket is made, or taken over."""
