package main

import "weir/internal/traces"

// tracesConfig is what is told of calls while they run.
type tracesConfig struct {
	Traces string

	to *traces.Traces // nil: traces are off, or not of this command
}

func tracesSettings() []setting {
	return []setting{{
		env: "WEIR_TRACES", key: "traces", flag: "traces", value: "NAME",
		defDoc: "otlp when OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set, else off",
		help:   "OpenTelemetry traces: off, or otlp, sent over HTTP to a collector as the OTEL_* variables say (docs/OBSERVABILITY.md)",
		set:    setOneOf(func(c *config) *string { return &c.Traces }, "off", "otlp"),
	}}
}
