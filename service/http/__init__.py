"""What every request goes through: checks, errors, logs, metrics, and how responses are written."""
