"""Workers on a Ray cluster, driven from a process of its own."""
