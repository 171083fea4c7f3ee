"""The colours of page and figures, by role, for a light and a dark screen."""

LIGHT = {
    "paper": "#fcfbf9",
    "raised": "#f4f2ee",
    "ink": "#1d1f23",
    "muted": "#63676e",
    "rule": "#dedbd4",
    "faint": "#b9b6ae",
    "accent": "#0b6e6e",
    "better": "#1f6f43",
    "worse": "#a2402b",
    "scale_low": "#d8a24a",
    "scale_middle": "#c2556a",
    "scale_high": "#5a4a9c",
}
DARK = {
    "paper": "#15171a",
    "raised": "#1d2024",
    "ink": "#e8e6e1",
    "muted": "#9a9da3",
    "rule": "#33373d",
    "faint": "#545960",
    "accent": "#4fc1b9",
    "better": "#74c496",
    "worse": "#e58d76",
    "scale_low": "#e3b55f",
    "scale_middle": "#d8707f",
    "scale_high": "#8f80d8",
}
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif'
"""Each figure is made in the light colours; the page's script exchanges them on a dark screen."""
