"""Batch work: plan, sweep, run many on Ray, merge, build."""
