"""The hook dispatcher: opens gates and hears their answers, and brings hooks to the systems that asked for them."""
