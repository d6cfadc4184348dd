"""The relay: a plane in user space that carries TCP, UDP and unix sockets byte by byte."""
