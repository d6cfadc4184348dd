"""House: rules of the code itself. Unit and property: no world. The rest: the real thing."""
