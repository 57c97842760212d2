// Command benchmarks does in Go, on COSI's own runtime, what the Python side measures of ours.
//
// It reads one request from each line of stdin (`NAME SIZE`), sets the benchmark up the first time
// that it is asked for, measures once, and answers with one line of JSON: `{"figures": [...]}`. So
// the Python side asks for a figure of its own and one of ours in turns.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// measurement is one repeat; it returns its figures.
type measurement func(ctx context.Context) ([]float64, error)

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
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	prepared := map[string]measurement{}

	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		figures, err := answer(ctx, prepared, lines.Text())
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %s\n", lines.Text(), err)
			os.Exit(1)
		}

		line, err := json.Marshal(map[string]any{"figures": figures})
		if err != nil {
			panic(err)
		}

		fmt.Println(string(line))
	}
}

func answer(ctx context.Context, prepared map[string]measurement, request string) ([]float64, error) {
	measure, ok := prepared[request]
	if !ok {
		var size int

		name, rest, _ := strings.Cut(request, " ")
		if _, err := fmt.Sscan(rest, &size); err != nil {
			return nil, err
		}

		prepare, known := benchmarks[name]
		if !known {
			return nil, fmt.Errorf("no such benchmark")
		}

		var err error
		if measure, err = prepare(ctx, size); err != nil {
			return nil, err
		}

		prepared[request] = measure
	}

	return measure(ctx)
}
