"""kojin_card: the Individual Number Card (個人番号カード) and its public personal authentication (JPKI)."""

__version__ = "0.1.0"
