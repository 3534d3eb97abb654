"""A program of its own with the OpenTelemetry SDK and the GenAI conventions' names, and no framework."""

import time

from opentelemetry.trace import Status, StatusCode
from spans import print_spans, traced

provider = traced()
tracer = provider.get_tracer("courier")


def call(agent: str, *, fails: bool = False) -> None:
    about = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": agent}
    with tracer.start_as_current_span(f"invoke_agent {agent}", attributes=about) as span:
        usage = {"gen_ai.usage.input_tokens": 40, "gen_ai.usage.output_tokens": 2}
        chat = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "small", **usage}
        with tracer.start_as_current_span("chat small", attributes=chat):
            time.sleep(0.002)  # work, to be found again as its duration
        if fails:
            span.set_attribute("error.type", "AddressUnknown")
            span.set_status(Status(StatusCode.ERROR, "nobody lives there"))


for number in range(4):
    call("courier", fails=number == 0)
call("clerk")
print_spans(provider)
