"""The parts of ``tools/make_reference.py``: what the generated pages of ``docs/reference`` say."""
