"""The worker: the process of arrivals, the events, and their publication."""
