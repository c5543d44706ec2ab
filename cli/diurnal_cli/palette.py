"""The report's colours: two palettes of the same names, safe for colour-blind readers.

Figures name colours as `var(--name)`, as a style sheet does; the page fills in the palette that the reader's
system asks for. Hues follow Okabe and Ito (2008); the heat scale goes evenly by lightness alone.
"""

LIGHT = {
    "paper": "#ffffff",
    "ink": "#16181d",
    "muted": "#5a606b",
    "rule": "#d9dce1",
    "expected": "#16181d",
    "drawn": "#0072b2",
    "band": "rgba(0,114,178,0.20)",
    "outside": "#d55e00",
    "bar": "#5aa5cf",
    "blank": "#f3f4f6",
    "heat-0": "#f3f1e7",
    "heat-1": "#c3d3d6",
    "heat-2": "#7fa9c0",
    "heat-3": "#2f74a3",
    "heat-4": "#0b2f57",
}
DARK = {
    "paper": "#111418",
    "ink": "#eceae4",
    "muted": "#a3a9b2",
    "rule": "#30353d",
    "expected": "#eceae4",
    "drawn": "#56b4e9",
    "band": "rgba(86,180,233,0.24)",
    "outside": "#e69f00",
    "bar": "#2f7fb0",
    "blank": "#1a1e24",
    "heat-0": "#171c2b",
    "heat-1": "#2d4668",
    "heat-2": "#4f86a0",
    "heat-3": "#a3bfa0",
    "heat-4": "#fbe9a9",
}


def colour(name: str) -> str:
    """The token of a colour, refusing names that no palette has."""
    if name not in LIGHT:
        message = f"the palette has no colour {name!r}; it has {', '.join(LIGHT)}"
        raise KeyError(message)
    return f"var(--{name})"


def as_css(palette: dict[str, str]) -> str:
    """The palette as declarations of a style sheet."""
    return "".join(f"--{name}:{value};" for name, value in palette.items())
