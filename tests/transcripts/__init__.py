"""The recordings served over real HTTP to a real daemon, and read by a real client."""
