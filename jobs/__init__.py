"""Batch work: plan, sweep, merge, build."""
