"""A receiver's tools: `hooks listen` is a receiver on this machine, `hooks replay` sends recorded hooks again."""
