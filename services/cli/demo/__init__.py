"""The demonstration: a real release, driven only over HTTP, against a system of its own or one that is given.

`run.run_demo` is the whole of it as a function; `command.demo` is `gonogo demo`.
"""
