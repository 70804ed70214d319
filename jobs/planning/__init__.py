"""Planning a sweep: what it reads, which layers and images it sweeps, and what it would cost."""
