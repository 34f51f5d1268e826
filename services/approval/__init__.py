"""Approval: opens rounds, counts votes, decides; every vote is bound to the seal that the voter looked at."""
