"""Lumail's public API: a client, and a stand-in that keeps the documented contract."""
