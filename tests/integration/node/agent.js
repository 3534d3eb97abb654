// An agent as somebody writes it in Node.js: spans by the GenAI conventions, a metric, baggage and context passed on.
import { metrics, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { NodeSDK } from "@opentelemetry/sdk-node";

const sdk = new NodeSDK(); // exporters, endpoint, protocol and headers by OTEL_* variables
sdk.start();
const tracer = trace.getTracer("node-agent");
const recorded = [];

function told(span) {
  const { traceId, spanId } = span.spanContext();
  return {
    trace_id: traceId,
    span_id: spanId,
    parent_id: span.parentSpanContext?.spanId ?? "",
    name: span.name,
    nanoseconds: span.duration[0] * 1e9 + span.duration[1],
    status: span.status.code === SpanStatusCode.ERROR ? "error" : "unset",
    attributes: span.attributes,
  };
}

function work(name, attributes, inside, kind = SpanKind.INTERNAL) {
  return tracer.startActiveSpan(name, { attributes, kind }, (span) => {
    try {
      return inside();
    } catch (error) {
      span.recordException(error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      span.setAttribute("error.type", error.name);
    } finally {
      span.end();
      recorded.push(told(span));
    }
  });
}

const agent = { "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "courier" };
const model = {
  "gen_ai.operation.name": "chat",
  "gen_ai.request.model": "tiny",
  "gen_ai.usage.input_tokens": 7,
  "gen_ai.usage.output_tokens": 3,
};
work("invoke_agent courier", agent, () => {
  work("chat tiny", model, () => undefined, SpanKind.CLIENT);
});
work("invoke_agent courier", agent, () => {
  throw new TypeError("no such street");
});
metrics.getMeter("node-agent").createCounter("courier.parcels", { unit: "{parcel}" }).add(2, { street: "Elm" });

await sdk.shutdown();
console.log(JSON.stringify(recorded));
