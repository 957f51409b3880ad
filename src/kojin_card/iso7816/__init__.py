"""Codecs of the card's language: APDU, status words, BER-TLV and simple-TLV. Bytes in, values out, no I/O."""
