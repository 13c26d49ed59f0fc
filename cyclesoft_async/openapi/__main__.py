"""Prints the document."""

import sys

import msgspec

from . import document

if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(document())) + b"\n")
