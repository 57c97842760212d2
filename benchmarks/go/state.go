package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
)

// newState is Talos's, but for a history that no burst of these benchmarks overruns: an overrun
// ends COSI's runtime.
func newState() state.State {
	return state.WrapCore(namespaced.NewState(func(ns resource.Namespace) state.CoreState {
		return inmem.NewStateWithOptions(
			inmem.WithHistoryInitialCapacity(128),
			inmem.WithHistoryMaxCapacity(1<<17),
			inmem.WithHistoryGap(64),
		)(ns)
	}))
}

func filled(ctx context.Context, size int) (state.State, error) {
	st := newState()

	for number := range size {
		if err := st.Create(ctx, newService(number)); err != nil {
			return nil, err
		}
	}

	return st, nil
}

// each returns the microseconds of one call of work, of as many as a while has room for; batch is
// how many there are between two looks at the clock.
func each(aWhile time.Duration, batch int, work func() error) ([]float64, error) {
	begin, done := time.Now(), 0

	for {
		for range batch {
			if err := work(); err != nil {
				return nil, err
			}
		}

		done += batch

		if elapsed := time.Since(begin); elapsed >= aWhile {
			return []float64{microseconds(elapsed) / float64(done)}, nil
		}
	}
}

func microseconds(elapsed time.Duration) float64 { return float64(elapsed.Nanoseconds()) / 1000 }

func prepareGet(ctx context.Context, size int) (measurement, error) {
	st, err := filled(ctx, size)

	return func(ctx context.Context, aWhile time.Duration) ([]float64, error) {
		return each(aWhile, 1_000, func() error {
			_, err := safe.StateGetByID[*Service](ctx, st, "000007")

			return err
		})
	}, err
}

// create fills one new state after the other.
func prepareCreate(_ context.Context, size int) (measurement, error) {
	return func(ctx context.Context, aWhile time.Duration) ([]float64, error) {
		var (
			total time.Duration
			done  int
		)

		for done == 0 || total < aWhile {
			st, made := newState(), make([]*Service, size)
			for number := range made {
				made[number] = newService(number)
			}

			begin := time.Now()

			for _, service := range made {
				if err := st.Create(ctx, service); err != nil {
					return nil, err
				}
			}

			total, done = total+time.Since(begin), done+size
		}

		return []float64{microseconds(total) / float64(done)}, nil
	}, nil
}

func prepareUpdate(ctx context.Context, size int) (measurement, error) {
	st, err := filled(ctx, size)

	return func(ctx context.Context, aWhile time.Duration) ([]float64, error) {
		return each(aWhile, 100, func() error {
			service, err := safe.StateGetByID[*Service](ctx, st, "000007")
			if err != nil {
				return err
			}

			service.TypedSpec().Priority++

			return st.Update(ctx, service)
		})
	}, err
}

func touch(ctx context.Context, st state.State, id resource.ID) error {
	service, err := safe.StateGetByID[*Service](ctx, st, id)
	if err != nil {
		return err
	}

	return st.Update(ctx, service)
}

// list is after one write each time, as ours is: nothing may be kept from the last one.
func prepareList(ctx context.Context, size int) (measurement, error) {
	st, err := filled(ctx, size)

	return func(ctx context.Context, aWhile time.Duration) ([]float64, error) {
		var (
			total time.Duration
			done  int
		)

		for done == 0 || total < aWhile {
			if err := touch(ctx, st, "000007"); err != nil {
				return nil, err
			}

			begin := time.Now()

			if _, err := safe.StateListAll[*Service](ctx, st); err != nil {
				return nil, err
			}

			total, done = total+time.Since(begin), done+1
		}

		return []float64{microseconds(total) / float64(done)}, nil
	}, err
}

// labels is of the small payload: of the large one, it would be told mostly how much of a cache a
// virtual machine's neighbours have left.
func prepareLabels(ctx context.Context, size int) (measurement, error) {
	st := newState()

	for number := range size {
		small := newNumber[FirstExtension](firstType, id(number), number)
		label(small.Metadata(), number)

		if err := st.Create(ctx, small); err != nil {
			return nil, err
		}
	}

	query := state.WithLabelQuery(resource.LabelEqual("shard", "7"))

	return func(ctx context.Context, aWhile time.Duration) ([]float64, error) {
		return each(aWhile, 1, func() error {
			found, err := safe.StateListAll[*First](ctx, st, query)
			if err == nil && found.Len() != size/100 {
				return fmt.Errorf("%d found", found.Len())
			}

			return err
		})
	}, nil
}

// fan-out: from the write until every one of size watchers of the kind has the event.
func prepareFanOut(ctx context.Context, size int) (measurement, error) {
	st, err := filled(ctx, 1_000)

	var left atomic.Int64

	all := make(chan struct{})
	kind := newService(0).Metadata()

	for range size {
		events := make(chan state.Event, 16)

		if err := st.WatchKind(ctx, kind, events); err != nil {
			return nil, err
		}

		go func() {
			for range events {
				if left.Add(-1) == 0 {
					all <- struct{}{}
				}
			}
		}()
	}

	return func(ctx context.Context, aWhile time.Duration) ([]float64, error) {
		return each(aWhile, 1, func() error {
			left.Store(int64(size))

			if err := touch(ctx, st, "000007"); err != nil {
				return err
			}

			<-all

			return nil
		})
	}, err
}

// single-ids: size watchers of as many ids; from a write until the watcher of that id has it.
//
// Written in a row, each write after the last one was seen: who is woken for nothing is in the way.
func prepareSingleIDs(ctx context.Context, size int) (measurement, error) {
	st, err := filled(ctx, size)
	if err != nil {
		return nil, err
	}

	seen := make(chan resource.ID, size)

	for number := range size {
		events := make(chan state.Event, 16)

		if err := st.Watch(ctx, newService(number).Metadata(), events); err != nil {
			return nil, err
		}

		<-events // how it is now

		go func() {
			for event := range events {
				seen <- event.Resource.Metadata().ID()
			}
		}()
	}

	next := 0

	return func(ctx context.Context, aWhile time.Duration) ([]float64, error) {
		return each(aWhile, 1, func() error {
			next = (next + 7919) % size

			if err := touch(ctx, st, id(next)); err != nil {
				return err
			}

			if got := <-seen; got != id(next) {
				return fmt.Errorf("%s instead of %s", got, id(next))
			}

			return nil
		})
	}, nil
}

// memory: bytes of resident memory for each of size resources. Asked of a process of its own.
//
// What is garbage is given back first: it is what the resources need that is weighed.
func prepareMemory(_ context.Context, size int) (measurement, error) {
	return func(ctx context.Context, _ time.Duration) ([]float64, error) {
		before, err := resident()
		if err != nil {
			return nil, err
		}

		st, err := filled(ctx, size)
		if err != nil {
			return nil, err
		}

		after, err := resident()
		if err != nil {
			return nil, err
		}

		_, err = safe.StateGetByID[*Service](ctx, st, "000007")

		return []float64{float64(after-before) / float64(size)}, err
	}, nil
}

func resident() (int, error) {
	debug.FreeOSMemory()

	content, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}

	var total, pages int

	_, err = fmt.Sscan(string(content), &total, &pages)

	return pages * os.Getpagesize(), err
}
