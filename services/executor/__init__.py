"""The executor: starts plans, handles item commands, runs workflows, ends what the window ends."""
