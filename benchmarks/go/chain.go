package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/cosi-project/runtime/pkg/controller"
	"github.com/cosi-project/runtime/pkg/controller/generic/qtransform"
	"github.com/cosi-project/runtime/pkg/controller/runtime"
	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/resource/typed"
	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
)

// step is one arrow of a chain: COSI's own keyed transform, finalizers and all.
func step[I, O typed.Extension](name string, from, to resource.Type) controller.QController {
	type (
		input  = *typed.Resource[NumberSpec, I]
		output = *typed.Resource[NumberSpec, O]
	)

	return qtransform.NewQController(qtransform.Settings[input, output]{
		Name: name,
		MapMetadataFunc: func(in input) output {
			return newNumber[O](to, in.Metadata().ID(), 0)
		},
		UnmapMetadataFunc: func(out output) input {
			return newNumber[I](from, out.Metadata().ID(), 0)
		},
		TransformFunc: func(_ context.Context, _ controller.Reader, _ *zap.Logger, in input, out output) error {
			*out.TypedSpec() = NumberSpec{
				Count:   in.TypedSpec().Count + 1,
				Ready:   in.TypedSpec().Ready,
				Address: in.TypedSpec().Address,
			}

			return nil
		},
	})
}

// running is a runtime with these controllers, and the end of the chain watched.
func running(ctx context.Context, end resource.Kind, controllers ...controller.QController) (state.State, chan state.Event, func(), error) {
	ctx, cancel := context.WithCancel(ctx)
	st := newState()

	engine, err := runtime.NewRuntime(st, zap.NewNop())
	if err != nil {
		return nil, nil, cancel, err
	}

	for _, each := range controllers {
		if err := engine.RegisterQController(each); err != nil {
			return nil, nil, cancel, err
		}
	}

	events := make(chan state.Event, 1024)
	if err := st.WatchKind(ctx, end, events); err != nil {
		return nil, nil, cancel, err
	}

	ended := make(chan error, 1)

	go func() { ended <- engine.Run(ctx) }()

	return st, events, func() { cancel(); <-ended }, nil
}

func chain() []controller.QController {
	return []controller.QController{
		step[FirstExtension, SecondExtension]("FirstStep", firstType, secondType),
		step[SecondExtension, ThirdExtension]("SecondStep", secondType, thirdType),
	}
}

func awaitCreated(ctx context.Context, events chan state.Event, want int) error {
	for want > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case event := <-events:
			if event.Type == state.Errored {
				return event.Error
			}

			if event.Type == state.Created {
				want--
			}
		}
	}

	return nil
}

// chain: size resources at once; how many of them reach the end of two steps in a second.
func prepareChain(_ context.Context, size int) (measurement, error) {
	return func(ctx context.Context, aWhile time.Duration) ([]float64, error) {
		return floods(ctx, aWhile, size, newNumber[ThirdExtension](thirdType, "", 0).Metadata(), chain)
	}, nil
}

// floods lets size resources through, and through new controllers again for as long as a while.
func floods(ctx context.Context, aWhile time.Duration, size int, end resource.Kind, controllers func() []controller.QController) ([]float64, error) {
	var (
		total time.Duration
		done  int
	)

	for done == 0 || total < aWhile {
		taken, err := flood(ctx, size, end, controllers())
		if err != nil {
			return nil, err
		}

		total, done = total+taken, done+size
	}

	return []float64{float64(done) / total.Seconds()}, nil
}

func flood(ctx context.Context, size int, end resource.Kind, controllers []controller.QController) (time.Duration, error) {
	st, events, stop, err := running(ctx, end, controllers...)
	defer stop()

	if err != nil {
		return 0, err
	}

	begin := time.Now()

	for number := range size {
		if err := st.Create(ctx, newNumber[FirstExtension](firstType, id(number), number)); err != nil {
			return 0, err
		}
	}

	err = awaitCreated(ctx, events, size)

	return time.Since(begin), err
}

// chain-one: one after the other; microseconds from the write to the end, median and 99th percentile.
func prepareChainOneByOne(_ context.Context, size int) (measurement, error) {
	return func(ctx context.Context, aWhile time.Duration) ([]float64, error) {
		var spent []float64

		for begin := time.Now(); len(spent) == 0 || time.Since(begin) < aWhile; {
			more, err := oneByOne(ctx, size)
			if err != nil {
				return nil, err
			}

			spent = append(spent, more...)
		}

		slices.Sort(spent)

		return []float64{spent[len(spent)/2], spent[len(spent)*99/100]}, nil
	}, nil
}

func oneByOne(ctx context.Context, size int) ([]float64, error) {
	st, events, stop, err := running(ctx, newNumber[ThirdExtension](thirdType, "", 0).Metadata(), chain()...)
	defer stop()

	if err != nil {
		return nil, err
	}

	spent := make([]float64, size)

	for number := range size {
		begin := time.Now()

		if err := st.Create(ctx, newNumber[FirstExtension](firstType, id(number), number)); err != nil {
			return nil, err
		}

		if err := awaitCreated(ctx, events, 1); err != nil {
			return nil, err
		}

		spent[number] = microseconds(time.Since(begin))
	}

	return spent, nil
}

// numbers is a queue controller written by hand, as COSI's conformance suite writes one.
type numbers struct{}

func (numbers) Name() string { return "Numbers" }

func (numbers) Settings() controller.QSettings {
	return controller.QSettings{
		Inputs: []controller.Input{
			{Namespace: namespace, Type: firstType, Kind: controller.InputQPrimary},
			{Namespace: namespace, Type: secondType, Kind: controller.InputQMappedDestroyReady},
		},
		Outputs: []controller.Output{{Type: secondType, Kind: controller.OutputExclusive}},
	}
}

func (c numbers) Reconcile(ctx context.Context, _ *zap.Logger, r controller.QRuntime, ptr resource.Pointer) error {
	in, err := safe.ReaderGet[*First](ctx, r, ptr)
	if err != nil {
		if state.IsNotFoundError(err) {
			return nil
		}

		return err
	}

	if in.Metadata().Phase() != resource.PhaseRunning {
		return fmt.Errorf("nothing is torn down here")
	}

	if err := r.AddFinalizer(ctx, ptr, c.Name()); err != nil {
		return err
	}

	return safe.WriterModify(ctx, r, newNumber[SecondExtension](secondType, ptr.ID(), 0), func(out *Second) error {
		*out.TypedSpec() = *in.TypedSpec()

		return nil
	})
}

func (numbers) MapInput(_ context.Context, _ *zap.Logger, _ controller.QRuntime, ptr controller.ReducedResourceMetadata) ([]resource.Pointer, error) {
	return []resource.Pointer{resource.NewMetadata(namespace, firstType, ptr.ID(), resource.VersionUndefined)}, nil
}

// queue: size items through it; how many in a second.
func prepareQueue(_ context.Context, size int) (measurement, error) {
	return func(ctx context.Context, aWhile time.Duration) ([]float64, error) {
		end := newNumber[SecondExtension](secondType, "", 0).Metadata()

		return floods(ctx, aWhile, size, end, func() []controller.QController {
			return []controller.QController{numbers{}}
		})
	}, nil
}
