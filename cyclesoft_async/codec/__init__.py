"""Conversion between the wire and the models: encoding, decoding and times. No I/O."""
