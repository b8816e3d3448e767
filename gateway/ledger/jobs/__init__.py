"""Work that outlives whoever is at it: replays, and requests for privacy."""
