"""What the kernel does for us: tests in network namespaces of their own."""
