"""Audit: turns the log into the operation record that people read. It can change nothing."""
