package metrics

import "github.com/prometheus/client_golang/prometheus"

// Identity is how it stands with those who call, and with the audit log.
type Identity struct {
	Refused       int64 // wrong keys and tokens
	KeysFailing   bool  // the file of keys is not what is in force
	IssuerFailing bool  // the keys of the tokens' issuer could not be fetched
	Audited       int64 // lines written
	AuditDropped  int64 // lines that were not
	AuditFailing  bool  // the last line could not be written
}

// WatchIdentity has this read at each scrape. It is called once, before anybody
// scrapes; look must return without waiting for anything but a mutex.
func (m *Metrics) WatchIdentity(look func() Identity) {
	m.registry.MustRegister(identityCollector(look))
}

func identityCollector(source func() Identity) prometheus.Collector {
	l := &look[Identity]{source: source}
	l.counter("weir_credentials_refused_total", "Requests with a wrong, expired or revoked key or token.",
		func(n Identity) float64 { return float64(n.Refused) })
	l.gauge("weir_keys_file_failing", "1 while the file of keys cannot be used, so that the keys read before are in force.",
		func(n Identity) float64 { return oneIf(n.KeysFailing) })
	l.gauge("weir_issuer_keys_failing", "1 while the keys of the tokens' issuer cannot be fetched; those from before are good for a day.",
		func(n Identity) float64 { return oneIf(n.IssuerFailing) })
	l.counter("weir_audit_lines_total", "Lines written to the audit log.",
		func(n Identity) float64 { return float64(n.Audited) })
	l.counter("weir_audit_lines_dropped_total", "Lines that did not get into the audit log. Must stay 0.",
		func(n Identity) float64 { return float64(n.AuditDropped) })
	l.gauge("weir_audit_failing", "1 while the audit log cannot be written.",
		func(n Identity) float64 { return oneIf(n.AuditFailing) })
	return l
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
