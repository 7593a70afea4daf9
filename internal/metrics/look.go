package metrics

import "github.com/prometheus/client_golang/prometheus"

// look collects values that are read at the moment of a scrape, all from one
// look at their source.
type look[T any] struct {
	source func() T
	values []value[T]
}

// value is one series of a look.
type value[T any] struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	labels []string
	of     func(T) float64
}

// gauge and counter add a series without labels.
func (l *look[T]) gauge(name, help string, of func(T) float64) {
	l.values = append(l.values, value[T]{prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue, nil, of})
}

func (l *look[T]) counter(name, help string, of func(T) float64) {
	l.values = append(l.values, value[T]{prometheus.NewDesc(name, help, nil, nil), prometheus.CounterValue, nil, of})
}

// gauges adds one series for each value of label.
func (l *look[T]) gauges(name, help, label string, values []string, of func(T, string) float64) {
	desc := prometheus.NewDesc(name, help, []string{label}, nil)
	for _, v := range values {
		l.values = append(l.values, value[T]{desc, prometheus.GaugeValue, []string{v}, func(t T) float64 { return of(t, v) }})
	}
}

// state adds one series for each of states: 1 for the one that of names, 0 for
// the others.
func (l *look[T]) state(name, help string, states []string, of func(T) string) {
	l.gauges(name, help, "state", states, func(t T, state string) float64 {
		if of(t) == state {
			return 1
		}
		return 0
	})
}

// Describe and Collect make it a prometheus.Collector.
func (l *look[T]) Describe(ch chan<- *prometheus.Desc) {
	for _, v := range l.values {
		ch <- v.desc
	}
}

// Collect looks once.
func (l *look[T]) Collect(ch chan<- prometheus.Metric) {
	now := l.source()
	for _, v := range l.values {
		ch <- prometheus.MustNewConstMetric(v.desc, v.kind, v.of(now), v.labels...)
	}
}
