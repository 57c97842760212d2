// Command benchmarks does in Go, on COSI's own runtime, what the Python side measures of ours.
//
// It is started as `benchmarks NAME SIZE`, sets that benchmark up, and says `"ready"`. For each line
// with a number of milliseconds it measures for so long (and at least once), and prints one line of
// JSON: a list of figures. It ends with its input. The Python side starts a new one after
// every few figures: what a process has once made of its memory stays with it, and would be in all.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
		name string
		size int
	)

	if _, err := fmt.Sscan(strings.Join(arguments, " "), &name, &size); err != nil {
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

	return whenever(func(milliseconds int) (any, error) {
		return measure(ctx, time.Duration(milliseconds)*time.Millisecond)
	})
}

// whenever it is told a number, it says what that leads to.
func whenever(told func(number int) (any, error)) error {
	say := json.NewEncoder(os.Stdout)
	if err := say.Encode("ready"); err != nil {
		return err
	}

	for {
		var number int

		switch _, err := fmt.Scanln(&number); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}

		answer, err := told(number)
		if err != nil {
			return err
		}

		if err := say.Encode(answer); err != nil {
			return err
		}
	}
}
