"""Pads: the part of the package that one wants."""


def pad(text: str) -> str:
    return text.center(30, ".")
