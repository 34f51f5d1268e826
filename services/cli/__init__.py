"""The command line `gonogo`: a client of the gateway, and the commands that start, check and show a whole system.

A noun, then a verb. Data goes to stdout, everything else to stderr; how it ended is the exit code (`exits.py`). It holds
no rule of its own: what may be done is the gateway's to say.
"""
