"""Panels that look and behave alike: each with a title, what it tells, a unit, and queries that a legend names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as board_builders
from grafana_foundation_sdk.builders import heatmap as heatmap_builders
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common, dashboard, heatmap
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
GREEN, YELLOW, RED, BLUE, GREY = "green", "yellow", "red", "blue", "text"

Panel = timeseries.Panel | stat.Panel | statetimeline.Panel | table.Panel | heatmap_builders.Panel
P = TypeVar("P", timeseries.Panel, stat.Panel, statetimeline.Panel, table.Panel, heatmap_builders.Panel)
Limits = Mapping[float, str]  # from this value on, this colour


class Line(msgspec.Struct, frozen=True):
    """A query and the name of what it gives."""

    expr: str
    legend: str = "__auto"
    exemplars: bool = False


class Column(msgspec.Struct, frozen=True):
    """A column of a table: its query, its unit, and from which values on it is coloured."""

    expr: str
    unit: str
    limits: Limits = {}


def over_time(
    title: str,
    about: str,
    unit: str,
    *lines: Line,
    width: int = 8,
    height: int = 8,
    limits: Limits | None = None,
    stacked: bool = False,
    most: float | None = None,
) -> timeseries.Panel:
    """Lines over time; ``limits`` draws where it gets yellow or red, ``stacked`` makes parts of a whole."""
    panel = _plain(timeseries.Panel(), title, about, unit, width, height, lines)
    panel.min(0).fill_opacity(35 if stacked else 8).line_width(1 if stacked else 2).span_nulls(60_000)
    panel.line_interpolation(common.LineInterpolation.LINEAR).show_points(common.VisibilityMode.AUTO)
    panel.legend(
        common_builders.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.TABLE)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs(["mean", "max", "lastNotNull"])
        .sort_by("Last *")
        .sort_desc(True)
    )
    panel.tooltip(
        common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
    )
    panel.thresholds(_steps(limits or {}, GREY if limits else GREEN))
    if stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if limits:
        panel.thresholds_style(common_builders.GraphThresholdsStyleConfig().mode(common.GraphTresholdsStyleMode.DASHED))
    if most is not None:
        panel.max(most)
    return panel


def figure(
    title: str,
    about: str,
    unit: str,
    line: Line,
    *,
    limits: Limits | None = None,
    width: int = 4,
    decimals: int | None = None,
    best: str = GREEN,
) -> stat.Panel:
    """One number with its recent course; ``best`` is its colour below the first limit."""
    panel = _plain(stat.Panel(), title, about, unit, width, 4, [line])
    panel.color_mode(common.BigValueColorMode.VALUE).graph_mode(common.BigValueGraphMode.AREA)
    panel.reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    panel.thresholds(_steps(limits or {}, best if limits else BLUE))
    return panel if decimals is None else panel.decimals(decimals)


def states(
    title: str, about: str, line: Line, words: Mapping[float, tuple[str, str]], *, width: int = 24, height: int = 8
) -> statetimeline.Panel:
    """What state things were in; ``words`` maps each value to its word and colour."""
    panel = _plain(statetimeline.Panel(), title, about, "short", width, height, [line])
    panel.mappings(
        [
            dashboard.ValueMap(
                options={
                    f"{value:g}": dashboard.ValueMappingResult(text=word, color=colour, index=place)
                    for place, (value, (word, colour)) in enumerate(words.items())
                }
            )
        ]
    )
    panel.thresholds(
        _steps({value: colour for value, (_, colour) in words.items() if value > 0}, next(iter(words.values()))[1])
    )
    panel.show_value(common.VisibilityMode.NEVER).row_height(0.8).merge_values(True).fill_opacity(70).line_width(0)
    return panel


def rows(
    title: str, about: str, columns: Mapping[str, Column], key: tuple[str, str], *, width: int = 24, link: str = ""
) -> table.Panel:
    """A table with a row per ``key`` (label, heading); ``columns`` maps a heading to query, unit and limits.

    ``link`` is where a click on the key leads; Grafana fills in ``${__value.text}``.
    """
    lines = [Line(column.expr) for column in columns.values()]
    panel = _plain(table.Panel(), title, about, "short", width, 9, lines, instant=True)
    panel.thresholds(_steps({}, GREEN)).show_header(show_header=True)
    heads = {f"Value #{chr(65 + place)}": head for place, head in enumerate(columns)}
    panel.with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={})).with_transformation(
        dashboard.DataTransformerConfig(
            id_val="organize", options={"excludeByName": {"Time": True}, "renameByName": {key[0]: key[1], **heads}}
        )
    )
    if link:
        leads = [{"title": "Show ${__value.text}", "url": f"{link}&${{__url_time_range}}"}]
        panel.override_by_name(key[1], [dashboard.DynamicConfigValue("links", leads)])
    for head, column in columns.items():
        properties = [dashboard.DynamicConfigValue("unit", column.unit)]
        if column.limits:
            properties += [
                dashboard.DynamicConfigValue("thresholds", _steps(column.limits, GREEN).build()),
                dashboard.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
            ]
        panel.override_by_name(head, properties)
    return panel


def spread(title: str, about: str, unit: str, line: Line, *, width: int = 12) -> heatmap_builders.Panel:
    """How a histogram's values spread over its buckets, in time; exemplars are points that open their trace."""
    panel = _plain(heatmap_builders.Panel(), title, about, unit, width, 8, [])
    panel.with_target(_query(line, 0).format(PromQueryFormat.HEATMAP)).calculate(False)
    panel.color(
        heatmap_builders.HeatmapColorOptions()
        .mode(heatmap.HeatmapColorMode.SCHEME)
        .scheme("Blues")
        .exponent(0.5)
        .fill("blue")
        .steps(64)
    )
    panel.y_axis(heatmap_builders.YAxisConfig().unit(unit).axis_placement(common.AxisPlacement.LEFT))
    panel.filter_values(heatmap_builders.FilterValueRange().le(1e-9)).show_legend().show_tooltip().exemplars_color(
        "orange"
    )
    return panel


def _plain(
    panel: P,
    title: str,
    about: str,
    unit: str,
    width: int,
    height: int,
    lines: Sequence[Line],
    *,
    instant: bool = False,
) -> P:
    panel.title(title).description(about).unit(unit).datasource(SOURCE).span(width).height(height)
    for place, line in enumerate(lines):
        query = _query(line, place)
        panel.with_target(query.instant().format(PromQueryFormat.TABLE) if instant else query)
    return panel


def _query(line: Line, place: int) -> prometheus.Dataquery:
    query = prometheus.Dataquery().expr(line.expr).ref_id(chr(65 + place)).datasource(SOURCE).range()
    return query.legend_format(line.legend).exemplar(line.exemplars)


def _steps(limits: Limits, below: str) -> board_builders.ThresholdsConfig:
    steps = [dashboard.Threshold(value=None, color=below)]
    steps += [dashboard.Threshold(value=value, color=colour) for value, colour in sorted(limits.items())]
    return board_builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)


def row(title: str) -> Builder[dashboard.RowPanel]:
    """A heading over the panels that follow."""
    return board_builders.Row(title)
