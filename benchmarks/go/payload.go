package main

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/resource/meta"
	"github.com/cosi-project/runtime/pkg/resource/typed"
)

const namespace = resource.Namespace("benchmark")

// Service is a resource with a payload of twenty fields: a plain typed spec, whose DeepCopy is what
// the deep-copy generator that Talos uses would write.
type Service = typed.Resource[ServiceSpec, ServiceExtension]

// Mount is a part of a ServiceSpec.
type Mount struct {
	Source, Destination, Type string
	Options                   []string
}

// Dependency is a part of a ServiceSpec.
type Dependency struct {
	Service, Path string
	Network       []string
	Time          bool
}

// ServiceSpec has the same twenty fields as the payload in benchmarks/payload.py.
type ServiceSpec struct {
	Name          string
	Entrypoint    string
	Args          []string
	Environment   []string
	Mounts        []Mount
	Depends       []Dependency
	Restart       string
	LogToConsole  bool
	WriteSysfs    bool
	WriteRootfs   bool
	MaskedPaths   []string
	ReadonlyPaths []string
	Propagation   string
	Memory        int64
	CPU           float64
	Nice          int
	Priority      int
	Group         string
	User          string
	Comment       string
}

// DeepCopy implements typed.DeepCopyable.
func (o ServiceSpec) DeepCopy() ServiceSpec {
	cp := o
	cp.Args = slices.Clone(o.Args)
	cp.Environment = slices.Clone(o.Environment)
	cp.Mounts = slices.Clone(o.Mounts)

	for i := range cp.Mounts {
		cp.Mounts[i].Options = slices.Clone(o.Mounts[i].Options)
	}

	cp.Depends = slices.Clone(o.Depends)

	for i := range cp.Depends {
		cp.Depends[i].Network = slices.Clone(o.Depends[i].Network)
	}

	cp.MaskedPaths = slices.Clone(o.MaskedPaths)
	cp.ReadonlyPaths = slices.Clone(o.ReadonlyPaths)

	return cp
}

// ServiceExtension describes the type.
type ServiceExtension struct{}

// ResourceDefinition implements typed.Extension.
func (ServiceExtension) ResourceDefinition() meta.ResourceDefinitionSpec {
	return meta.ResourceDefinitionSpec{Type: "Services.benchmark.example.org", DefaultNamespace: namespace}
}

func id(number int) resource.ID { return fmt.Sprintf("%06d", number) }

func newService(number int) *Service {
	service := typed.NewResource[ServiceSpec, ServiceExtension](
		resource.NewMetadata(namespace, "Services.benchmark.example.org", id(number), resource.VersionUndefined),
		newSpec(number),
	)
	label(service.Metadata(), number)

	return service
}

func label(metadata *resource.Metadata, number int) {
	metadata.Labels().Set("shard", strconv.Itoa(number%100))
	metadata.Labels().Set("app", "web")
}

func newSpec(number int) ServiceSpec {
	mounts := make([]Mount, 3)
	for i := range mounts {
		mounts[i] = Mount{
			Source:      fmt.Sprintf("/var/lib/%d", i),
			Destination: fmt.Sprintf("/data/%d", i),
			Type:        "bind",
			Options:     []string{"rbind", "rw"},
		}
	}

	return ServiceSpec{
		Name:          fmt.Sprintf("service-%d", number),
		Entrypoint:    "./bin/service",
		Args:          []string{"--config", "/etc/service.yaml", "--verbose"},
		Environment:   []string{"A=1", "B=2"},
		Mounts:        mounts,
		Depends:       []Dependency{{Service: "cri"}, {Path: "/run/x"}, {Network: []string{"addresses"}}},
		Restart:       "always",
		MaskedPaths:   []string{"/proc/kcore"},
		ReadonlyPaths: []string{"/proc/sys"},
		Propagation:   "shared",
		Memory:        1 << 20,
		CPU:           0.5,
		Priority:      1,
		Group:         "g",
		User:          "u",
		Comment:       "twenty fields",
	}
}

// NumberSpec is the small payload that goes through chains and queues.
type NumberSpec struct {
	Count   int
	Ready   bool
	Address string
}

// DeepCopy implements typed.DeepCopyable.
func (o NumberSpec) DeepCopy() NumberSpec { return o }

type (
	// First is where a chain begins.
	First = typed.Resource[NumberSpec, FirstExtension]
	// Second is its middle.
	Second = typed.Resource[NumberSpec, SecondExtension]
	// Third is its end.
	Third = typed.Resource[NumberSpec, ThirdExtension]

	// FirstExtension describes a type.
	FirstExtension struct{}
	// SecondExtension describes a type.
	SecondExtension struct{}
	// ThirdExtension describes a type.
	ThirdExtension struct{}
)

const (
	firstType  = "Firsts.benchmark.example.org"
	secondType = "Seconds.benchmark.example.org"
	thirdType  = "Thirds.benchmark.example.org"
)

// ResourceDefinition implements typed.Extension.
func (FirstExtension) ResourceDefinition() meta.ResourceDefinitionSpec {
	return meta.ResourceDefinitionSpec{Type: firstType, DefaultNamespace: namespace}
}

// ResourceDefinition implements typed.Extension.
func (SecondExtension) ResourceDefinition() meta.ResourceDefinitionSpec {
	return meta.ResourceDefinitionSpec{Type: secondType, DefaultNamespace: namespace}
}

// ResourceDefinition implements typed.Extension.
func (ThirdExtension) ResourceDefinition() meta.ResourceDefinitionSpec {
	return meta.ResourceDefinitionSpec{Type: thirdType, DefaultNamespace: namespace}
}

func newNumber[E typed.Extension](kind resource.Type, id resource.ID, count int) *typed.Resource[NumberSpec, E] {
	return typed.NewResource[NumberSpec, E](
		resource.NewMetadata(namespace, kind, id, resource.VersionUndefined),
		NumberSpec{Count: count, Ready: true, Address: "10.0.0.1"},
	)
}
