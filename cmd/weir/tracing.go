package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"weir/internal/metrics"
	"weir/internal/traces"
)

// openTraces begins tracing, if it is asked for; nil: it is not. The OTEL_*
// variables are those of OpenTelemetry's specification; those that are not read
// are listed in docs/OBSERVABILITY.md.
func (a *app) openTraces(ctx context.Context, c config, m *metrics.Metrics, log *slog.Logger) (*traces.Traces, error) {
	from, on, err := a.tracesConfig(c)
	if err != nil || !on {
		return nil, err
	}
	from.Log = log
	t, err := traces.New(ctx, from)
	if err != nil {
		return nil, usagef("WEIR_TRACES: %v", err)
	}
	if m != nil {
		m.WatchTraces(func() metrics.TraceStats { return metrics.TraceStats(t.Stats()) })
	}
	return t, nil
}

// closeTraces sends what is left, not for long.
func closeTraces(ctx context.Context, t *traces.Traces, log *slog.Logger) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingTraces)
	defer cancel()
	if err := t.Close(ctx); err != nil {
		log.WarnContext(ctx, "some traces were not sent", "error", err)
	}
}

const partingTraces = 3 * time.Second

// otel reads a variable for traces, or the one for all signals.
func (a *app) otel(name string) string {
	if v := a.variable("OTEL_EXPORTER_OTLP_TRACES_" + name); v != "" {
		return v
	}
	return a.variable("OTEL_EXPORTER_OTLP_" + name)
}

func (a *app) tracesConfig(c config) (t traces.Config, on bool, err error) {
	all, own := a.variable("OTEL_EXPORTER_OTLP_ENDPOINT"), a.variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	on = c.Traces == "otlp"
	if c.Traces == "" {
		on = (all != "" || own != "") && a.variable("OTEL_TRACES_EXPORTER") != "none" && !strings.EqualFold(a.variable("OTEL_SDK_DISABLED"), "true")
	}
	if !on {
		return traces.Config{}, false, nil
	}
	if p := a.otel("PROTOCOL"); p != "" && p != "http/protobuf" {
		return traces.Config{}, false, usagef("OTEL_EXPORTER_OTLP_PROTOCOL is %q; traces are sent as http/protobuf (port 4318 of a collector)", p)
	}
	t = traces.Config{
		Endpoint: own, Gzip: a.otel("COMPRESSION") == "gzip", Proxy: http.ProxyFromEnvironment,
		Version: thisBuild().Version, Service: a.variable("OTEL_SERVICE_NAME"), Sampler: a.variable("OTEL_TRACES_SAMPLER"),
	}
	if t.Endpoint == "" {
		t.Endpoint = strings.TrimRight(orElse(all, "http://localhost:4318"), "/") + "/v1/traces"
	}
	if t.Headers, err = otelPairs("OTEL_EXPORTER_OTLP_HEADERS", a.otel("HEADERS")); err != nil {
		return t, false, err
	}
	if t.About, err = otelPairs("OTEL_RESOURCE_ATTRIBUTES", a.variable("OTEL_RESOURCE_ATTRIBUTES")); err != nil {
		return t, false, err
	}
	if name := t.About["service.name"]; name != "" {
		t.Service = orElse(t.Service, name)
		delete(t.About, "service.name")
	}
	delete(t.About, "service.version")
	if t.TLS, err = otelTLS(a.otel("CERTIFICATE"), a.otel("CLIENT_CERTIFICATE"), a.otel("CLIENT_KEY")); err != nil {
		return t, false, err
	}
	return t, true, a.traceNumbers(&t)
}

// traceNumbers reads the variables that are numbers.
func (a *app) traceNumbers(t *traces.Config) error {
	if t.Sampler != "" {
		if err := traces.CheckSampler(t.Sampler); err != nil {
			return usagef("OTEL_TRACES_SAMPLER: %v", err)
		}
	}
	if v := a.variable("OTEL_TRACES_SAMPLER_ARG"); v != "" {
		ratio, err := strconv.ParseFloat(v, 64)
		if err != nil || !(ratio > 0 && ratio <= 1) {
			return usagef("OTEL_TRACES_SAMPLER_ARG must be above 0 and at most 1, not %q", v)
		}
		t.Ratio = ratio
	}
	var timeout, every int
	for _, n := range []struct {
		name string
		to   *int
	}{
		{"OTEL_EXPORTER_OTLP_TIMEOUT", &timeout},
		{"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", &timeout},
		{"OTEL_BSP_SCHEDULE_DELAY", &every},
		{"OTEL_BSP_MAX_QUEUE_SIZE", &t.Queue},
		{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", &t.Batch},
	} {
		v := a.variable(n.name)
		if v == "" {
			continue
		}
		i, err := strconv.Atoi(v)
		if err != nil || i < 1 || i > maxTraceNumber {
			return usagef("%s must be a whole number from 1 to %d, not %q", n.name, maxTraceNumber, v)
		}
		*n.to = i
	}
	t.Timeout, t.Every = time.Duration(timeout)*time.Millisecond, time.Duration(every)*time.Millisecond
	return nil
}

const maxTraceNumber = 1_000_000

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// otelPairs reads a=b,c=d with percent-encoded values. Its errors never repeat
// one: they may be secrets.
func otelPairs(name, text string) (map[string]string, error) {
	pairs := map[string]string{}
	for item := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(item) == "" {
			continue
		}
		k, v, ok := strings.Cut(item, "=")
		value, err := url.PathUnescape(strings.TrimSpace(v))
		if k = strings.TrimSpace(k); !ok || k == "" || err != nil || strings.ContainsAny(k+value, "\r\n") {
			return nil, usagef("%s must be name=value,name=value", name)
		}
		pairs[k] = value
	}
	return pairs, nil
}

// otelTLS is how the collector is known, and this server to it; nil: nothing is
// said of it.
func otelTLS(authorities, cert, key string) (*tls.Config, error) {
	if authorities == "" && cert == "" && key == "" {
		return nil, nil //nolint:nilnil // said so
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if authorities != "" {
		pem, err := os.ReadFile(authorities) //nolint:gosec // the administrator names it
		if err != nil {
			return nil, usagef("OTEL_EXPORTER_OTLP_CERTIFICATE: %s", cause(err))
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, usagef("OTEL_EXPORTER_OTLP_CERTIFICATE: there is no certificate in %s", authorities)
		}
	}
	if cert != "" || key != "" {
		own, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, usageError(errors.Join(errors.New("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _KEY"), err).Error())
		}
		c.Certificates = []tls.Certificate{own}
	}
	return c, nil
}
