"""What the dispatcher folds for itself: the body of a hook, and how a delivery stands. Pure."""
