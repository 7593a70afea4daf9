package chaos_test

import (
	"context"
	"fmt"

	"weir/internal/chaos"
)

func Example() {
	ctx := context.Background()
	p, err := chaos.Start(ctx, chaos.Config{Dim: 8})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	for _, f := range chaos.Faults()[:4] {
		if err := p.Set(ctx, f.Fault); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: %s; expect %s\n", f.Fault, f.Does, f.Expect)
	}
	if err := p.Heal(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println("calls:", p.Stats().Calls)
	// Output:
	// dns-unknown: its name does not exist (NXDOMAIN); expect degraded
	// dns-fails: the name server fails (SERVFAIL); expect degraded
	// dns-silent: the name server does not answer; expect degraded
	// refuses: nothing listens: connections are refused; expect degraded
	// calls: 0
}
