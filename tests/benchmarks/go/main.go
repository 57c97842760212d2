// Command benchmarks does in Go, on COSI's own runtime, what the Python side measures of ours.
//
// It is started as `benchmarks NAME SIZE MILLISECONDS`, sets that benchmark up, measures for so long
// (and at least once), and prints one line of JSON: `{"figures": [...]}`. The Python side starts it
// anew for each figure, and takes one of its own in between: what a process has once made of its
// memory stays with it, and would be in all of its figures.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

// measurement is one repeat, of about so long; it returns its figures.
type measurement func(ctx context.Context, aWhile time.Duration) ([]float64, error)

// preparation sets a benchmark up for a size, outside of what is timed.
type preparation func(ctx context.Context, size int) (measurement, error)

var benchmarks = map[string]preparation{
	"get":        prepareGet,
	"create":     prepareCreate,
	"update":     prepareUpdate,
	"list":       prepareList,
	"labels":     prepareLabels,
	"fan-out":    prepareFanOut,
	"single-ids": prepareSingleIDs,
	"memory":     prepareMemory,
	"chain":      prepareChain,
	"chain-one":  prepareChainOneByOne,
	"queue":      prepareQueue,
}

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %s\n", os.Args[1:], err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	var (
		name               string
		size, milliseconds int
	)

	if _, err := fmt.Sscan(strings.Join(arguments, " "), &name, &size, &milliseconds); err != nil {
		return err
	}

	prepare, known := benchmarks[name]
	if !known {
		return fmt.Errorf("no such benchmark")
	}

	measure, err := prepare(ctx, size)
	if err != nil {
		return err
	}

	figures, err := measure(ctx, time.Duration(milliseconds)*time.Millisecond)
	if err != nil {
		return err
	}

	return json.NewEncoder(os.Stdout).Encode(map[string]any{"figures": figures})
}
