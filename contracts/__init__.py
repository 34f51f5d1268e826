"""The words: commands, events, refusals, bodies, subjects, and the fold of a plan. Standard library and msgspec only."""
