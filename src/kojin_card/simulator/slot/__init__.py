"""The slot applet of the free area, card side (``applets_spec/free_area/slot_applet.toml``)."""
