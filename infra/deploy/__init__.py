"""Running on servers that exist: what a cluster needs once before the services can start."""
