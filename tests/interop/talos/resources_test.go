// The resources that we serve, listed, read and watched by Talos's own types.

package talos

import (
	"context"
	"testing"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/resource/meta"
	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/client"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"github.com/siderolabs/talos/pkg/machinery/resources/time"
	"github.com/siderolabs/talos/pkg/machinery/resources/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"gopkg.in/yaml.v3"
)

// The state is asked about one node at a time; Talos's client has no other way.
func onNode(t *testing.T) (context.Context, *client.Client) {
	t.Helper()

	ctx, c := connect(t)

	return client.WithNode(ctx, "127.0.0.1"), c
}

func TestEveryTypeIsListedAndItsNamesAreTalos(t *testing.T) {
	ctx, c := onNode(t)

	for alias, expected := range map[string]resource.Type{
		"services": v1alpha1.ServiceType, "svc": v1alpha1.ServiceType,
		"timestatus": time.StatusType, "netstatus": network.StatusType, "probes": network.ProbeStatusType,
		"extensionserviceconfigs":        runtime.ExtensionServiceConfigType,
		"extensionserviceconfigstatuses": runtime.ExtensionServiceConfigStatusType,
		"rd":                             meta.ResourceDefinitionType,
	} {
		var namespace resource.Namespace

		definition, err := c.ResolveResourceKind(ctx, &namespace, alias)
		require.NoError(t, err)
		assert.Equal(t, expected, definition.TypedSpec().Type)
		assert.Equal(t, definition.TypedSpec().DefaultNamespace, namespace)
	}

	definitions, err := safe.StateListAll[*meta.ResourceDefinition](ctx, c.COSI)
	require.NoError(t, err)

	for definition := range definitions.All() {
		spec := definition.TypedSpec()
		kind := resource.NewMetadata(spec.DefaultNamespace, spec.Type, "", resource.VersionUndefined)

		// As talosctl does: the YAML form of whatever there is.
		items, err := c.COSI.List(ctx, kind, state.WithListUnmarshalOptions(state.WithSkipProtobufUnmarshal()))
		require.NoError(t, err, spec.Type)

		for _, item := range items.Items {
			_, err := yaml.Marshal(item.Spec())
			require.NoError(t, err, item.Metadata())
		}
	}
}

func TestTalosTypesAreReadAsTalosReadsThem(t *testing.T) {
	ctx, c := onNode(t)

	service, err := safe.StateGetByID[*v1alpha1.Service](ctx, c.COSI, hello)
	require.NoError(t, err)
	assert.Equal(t, v1alpha1.ServiceSpec{Running: true, Unknown: true}, *service.TypedSpec())

	online, err := safe.StateGetByID[*network.Status](ctx, c.COSI, network.StatusID)
	require.NoError(t, err)
	assert.Equal(t, network.StatusSpec{
		AddressReady: true, ConnectivityReady: true, HostnameReady: true, EtcFilesReady: true,
	}, *online.TypedSpec())

	_, err = safe.StateGetByID[*time.Status](ctx, c.COSI, time.StatusID)
	require.NoError(t, err)

	config, err := safe.StateGetByID[*runtime.ExtensionServiceConfig](ctx, c.COSI, "greeter")
	require.NoError(t, err)
	assert.Equal(t, runtime.ExtensionServiceConfigSpec{
		Files: []runtime.ExtensionServiceConfigFile{
			{Content: "guest = everybody\n", MountPath: "/etc/greeter/guests.ini"},
		},
		Environment: []string{"GREETING=Good morning"},
	}, *config.TypedSpec())

	status, err := safe.StateGetByID[*runtime.ExtensionServiceConfigStatus](ctx, c.COSI, "greeter")
	require.NoError(t, err)
	assert.Equal(t, config.Metadata().Version().String(), status.TypedSpec().SpecVersion)

	_, err = safe.StateListAll[*network.ProbeStatus](ctx, c.COSI)
	require.NoError(t, err)
	_, err = safe.StateListAll[*network.ProbeSpec](ctx, c.COSI)
	require.NoError(t, err)

	_, err = safe.StateGetByID[*v1alpha1.Service](ctx, c.COSI, "ext-nobody")
	assert.True(t, state.IsNotFoundError(err), "%v", err)
}

func TestAServiceIsWatched(t *testing.T) {
	ctx, c := onNode(t)

	one, kind := make(chan state.Event), make(chan state.Event)
	aggregated := make(chan []state.Event)
	service := v1alpha1.NewService(greeter)

	require.NoError(t, c.COSI.Watch(ctx, service.Metadata(), one))
	require.NoError(t, c.COSI.WatchKind(ctx, service.Metadata(), kind, state.WithBootstrapContents(true)))
	require.NoError(t, c.COSI.WatchKindAggregated(ctx, service.Metadata(), aggregated, state.WithBootstrapContents(true)))

	first := <-one
	assert.Equal(t, state.Created, first.Type)

	var ids []resource.ID

	for event := range kind {
		require.NotEqual(t, state.Errored, event.Type, "%v", event.Error)

		if event.Type == state.Bootstrapped {
			break
		}

		ids = append(ids, event.Resource.Metadata().ID())
	}

	assert.Equal(t, []resource.ID{greeter, hello, "ext-prepare"}, ids)

	go func() {
		for range kind { // the client hands on one event at a time
		}
	}()

	together := <-aggregated
	assert.NotEmpty(t, together)

	go func() {
		for range aggregated {
		}
	}()

	restarted := make(chan error, 1)

	go func() {
		_, err := c.ServiceRestart(ctx, greeter)
		restarted <- err
	}()

	for _, running := range []bool{false, true} {
		for event := range one {
			require.Equal(t, state.Updated, event.Type, "%v", event.Error)

			if event.Resource.(*v1alpha1.Service).TypedSpec().Running == running {
				break
			}
		}
	}

	require.NoError(t, <-restarted)
}

func TestWhatTalosDoesNotAllowIsRefused(t *testing.T) {
	ctx, c := onNode(t)

	_, err := c.COSI.List(client.WithNodes(ctx, "127.0.0.1", "localhost"),
		resource.NewMetadata(v1alpha1.NamespaceName, v1alpha1.ServiceType, "", resource.VersionUndefined))
	assert.ErrorContains(t, err, "one-2-many proxying is not supported")
	assert.NotEqual(t, codes.OK, client.StatusCode(err))

	_, err = c.Memory(ctx)
	assert.Equal(t, codes.Unimplemented, client.StatusCode(err))
	assert.ErrorContains(t, err, "unknown method Memory for service machine.MachineService")
}
