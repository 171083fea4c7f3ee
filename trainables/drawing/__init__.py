"""Images for people: panels, contact sheets and heat maps."""

from trainables.drawing.heat_map import HeatMap, draw_heat_maps
from trainables.drawing.panel import draw_panel
from trainables.drawing.sheet import Row, Tile, draw_sheet

__all__ = ["HeatMap", "Row", "Tile", "draw_heat_maps", "draw_panel", "draw_sheet"]
