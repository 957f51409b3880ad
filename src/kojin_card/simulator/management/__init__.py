"""Card content management of GlobalPlatform, card side (``applets_spec/free_area/globalplatform.toml``).

Written from the standards (Card Specification 2.3.1; Amendment D 1.2 for SCP03) and shares no code with the client.
"""
