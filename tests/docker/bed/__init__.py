"""Two Docker hosts on one machine, without an image registry.

    command    run a program, or say exactly how it failed; wait for a condition
    wire       forwarding for containers, and the cable between two hosts
    engine     what is asked of an engine
    dockerd    an engine in namespaces of its own, from start to end
    root       Debian file systems made by debootstrap, kept in the cache
    images     those file systems and this checkout as images
    resp       the smallest Redis client, run inside a host's network

An engine's processes live in one PID namespace, so ending its first process ends them all;
its network and mounts end with them.
"""
