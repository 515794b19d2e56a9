"""Theme colours as terminal styles."""

from rich.style import Style
from textual.widget import Widget


def ink(widget: Widget, component: str) -> Style:
    """Text colour and attributes of a component class; the background is left alone."""
    style = widget.get_component_rich_style(component)
    return style.without_color + Style(color=style.color)
