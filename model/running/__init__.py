"""Running a network: under hooks, without checkpointing, in its memory layout, in replicas for threads."""
