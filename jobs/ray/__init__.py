"""Workers on Ray. The command uses `pool.py` and `job.py`; Ray itself is only in the process that `main.py` is."""
