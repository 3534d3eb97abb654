"""What all dashboards have in common: what is shown can be chosen, alerts are marked, links lead on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from dashboards.panels import SOURCE, Panel
from dashboards.queries import SCOPE, metric
from pea.telemetry import names
from pea.telemetry.instruments import METRICS

TAG = "pea"
ALERTS = {
    # What PEA's own detector says, and what Prometheus says by the exported rules.
    "PEA's alerts": (
        f"max by (pea_alert_rule, gen_ai_agent_name) ({metric(names.METRIC_ALERT_STATE)}{{{SCOPE}}}) == 2",
        "orange",
        "{{pea_alert_rule}} {{gen_ai_agent_name}}",
    ),
    "Prometheus' alerts": ('ALERTS{alertstate="firing"}', "red", "{{alertname}} {{agent}}"),
}


class Choice(msgspec.Struct, frozen=True):
    """A variable of a dashboard: the values of a label of a metric."""

    name: str
    label: str
    query: str


class Board(msgspec.Struct, frozen=True):
    """A dashboard: sections of panels under headings; ``home`` is the metric whose jobs are offered."""

    uid: str
    title: str
    about: str
    home: str
    sections: Mapping[str, Iterable[Panel]]
    choices: tuple[Choice, ...] = ()


def rendered(board: Board) -> str:
    """The dashboard as Grafana's JSON."""
    made = builders.Dashboard(board.title).uid(board.uid).description(board.about).tags([TAG, "generated"]).readonly()
    made.time("now-1h", "now").refresh("10s").timezone("browser").tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
    source = builders.DatasourceVariable("datasource").label("Data source").type("prometheus")
    made.with_variable(source.current(dashboard.VariableOption(text="default", value="default")))
    first = metric(METRICS[board.home].name) + ("_count" if METRICS[board.home].instrument == "histogram" else "")
    made.with_variable(
        _variable(
            Choice("job", "Job", f"label_values({first}, job)"),
            "The service: a scrape job, or by OTLP its service.name.",
        )
    )
    made.with_variable(
        _variable(
            Choice("instance", "Instance", f'label_values({first}{{job=~"$job"}}, instance)'),
            "One process of the service.",
        )
    )
    for choice in board.choices:
        made.with_variable(_variable(choice, ""))
    for name, (expr, colour, _) in ALERTS.items():
        made.annotation(
            builders.AnnotationQuery()
            .name(name)
            .datasource(SOURCE)
            .enable(True)
            .hide(False)
            .icon_color(colour)
            .expr(expr)
        )
    made.link(
        builders.DashboardLink("PEA")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
        .tooltip("The other dashboards of PEA, for the same service and time")
        .icon("external link")
    )
    for title, panels in board.sections.items():
        made.with_row(builders.Row(title))
        for panel in panels:
            made.with_panel(panel)
    return _text(made.build())


def _variable(choice: Choice, about: str) -> builders.QueryVariable:
    every = dashboard.VariableOption(text="All", value="$__all", selected=True)
    made = (
        builders.QueryVariable(choice.name)
        .label(choice.label)
        .query(choice.query)
        .datasource(SOURCE)
        .description(about or f"Which {choice.label.lower()} is shown.")
    )
    made.multi(True).include_all(True).all_value(".+" if choice.name in {"job", "instance"} else ".*").current(every)
    return made.refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(dashboard.VariableSort.ALPHABETICAL_ASC)


def _text(made: dashboard.Dashboard) -> str:
    import json

    plain: dict[str, Any] = json.loads(json.dumps(made, cls=JSONEncoder))
    for number, panel in enumerate(plain["panels"], 1):
        panel["id"] = number
    for query in plain["annotations"]["list"]:
        # The typed source has no field for how an annotation is worded.
        query |= {"titleFormat": ALERTS[query["name"]][2], "step": "10s", "useValueForTime": False}
    return json.dumps(plain, indent=1, sort_keys=True) + "\n"
