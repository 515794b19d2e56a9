"""Colours of a chart: for dark and light themes, and for terminals with 16 colours."""

from tui.widgets.chart_picture import NUM_COLOURS

COMPONENTS = (
    "chart--title",
    "chart--axis",
    "chart--placeholder",
    "chart--crosshair",
    "chart--mark",
    *(f"chart--series-{i}" for i in range(NUM_COLOURS)),
)

CSS = """
LineChart {
    height: 1fr;
    min-height: 3;
    & > .chart--title { text-style: bold; }
    &:focus > .chart--title { color: $text-accent; text-style: bold underline; }
    & > .chart--axis, & > .chart--placeholder { color: $text-muted; }
    & > .chart--crosshair { color: $text-accent; }
    & > .chart--mark { color: $text-warning; }
    & > .chart--series-0 { color: #4e9af1; }
    & > .chart--series-1 { color: #f2b134; }
    & > .chart--series-2 { color: #6cc24a; }
    & > .chart--series-3 { color: #f06c6c; }
    & > .chart--series-4 { color: #b98af5; }
    & > .chart--series-5 { color: #3fc8cc; }
    & > .chart--series-6 { color: #f08ac0; }
    & > .chart--series-7 { color: #c8c8c8; }
    &:light {
        & > .chart--series-0 { color: #1463c4; }
        & > .chart--series-1 { color: #a06a00; }
        & > .chart--series-2 { color: #2c7a12; }
        & > .chart--series-3 { color: #c02626; }
        & > .chart--series-4 { color: #7a3fd0; }
        & > .chart--series-5 { color: #0a7a80; }
        & > .chart--series-6 { color: #b5287a; }
        & > .chart--series-7 { color: #505050; }
    }
    &:ansi {
        & > .chart--axis, & > .chart--placeholder { color: ansi_default; text-style: dim; }
        & > .chart--series-0 { color: ansi_blue; }
        & > .chart--series-1 { color: ansi_yellow; }
        & > .chart--series-2 { color: ansi_green; }
        & > .chart--series-3 { color: ansi_red; }
        & > .chart--series-4 { color: ansi_magenta; }
        & > .chart--series-5 { color: ansi_cyan; }
        & > .chart--series-6 { color: ansi_bright_magenta; }
        & > .chart--series-7 { color: ansi_default; }
    }
}
"""
