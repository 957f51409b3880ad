"""Connections to cards: the one mandatory method, its optional companions, and the link that speaks APDUs over it."""
