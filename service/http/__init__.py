"""What every request goes through: guards, errors, logs, metrics, and how answers are written."""
