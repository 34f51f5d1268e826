"""A real PostgreSQL and a real NATS server, started from the programs of two wheels, with everything in one folder.

The programs are driven directly. The wheels' own Python layers are never imported: they widen the permissions of parent
folders and stop servers that others still use.
"""
