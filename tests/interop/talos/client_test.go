// Package talos uses Talos's own client as talosctl does, against a server that is not Talos.
// tests/interop/test_talos.py runs the machine of examples/rootfs and says where it is: COSI_TALOSCONFIG
// is the file that `cosi gen config` made, COSI_ENDPOINT the HOST:PORT that `cosi run` listens at.
package talos

import (
	"context"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blang/semver/v4"
	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/inspect"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/client"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/siderolabs/talos/pkg/machinery/formatters"
	"github.com/siderolabs/talos/pkg/machinery/resources/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"
)

const (
	hello   = "ext-hello-world"
	greeter = "ext-greeter"
	patient = 30 * time.Second
)

func connect(t *testing.T) (context.Context, *client.Client) {
	t.Helper()

	talosconfig, endpoint := os.Getenv("COSI_TALOSCONFIG"), os.Getenv("COSI_ENDPOINT")
	if talosconfig == "" {
		t.Skip("COSI_TALOSCONFIG names no server")
	}

	ctx, cancel := context.WithTimeout(t.Context(), patient)
	t.Cleanup(cancel)

	c, err := client.New(ctx, client.WithConfigFromFile(talosconfig), client.WithEndpoints(endpoint))
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() }) //nolint:errcheck

	return ctx, c
}

func TestSeveralEndpoints(t *testing.T) {
	connect(t)

	_, port, err := net.SplitHostPort(os.Getenv("COSI_ENDPOINT"))
	require.NoError(t, err)

	c, err := client.New(t.Context(), client.WithConfigFromFile(os.Getenv("COSI_TALOSCONFIG")),
		client.WithEndpoints("127.0.0.1:"+port, "https://localhost:"+port))
	require.NoError(t, err)

	defer c.Close() //nolint:errcheck

	for range 4 { // in turn
		_, err := c.Version(t.Context())
		require.NoError(t, err)
	}
}

// ways are how talosctl names the nodes of a call: up to 1.13 all of them in `nodes`, from 1.14 on
// each in a `node` of its own, and with --insecure not at all.
var ways = map[string]struct {
	named   func(context.Context) context.Context
	answers []string
}{
	"nobody": {
		func(ctx context.Context) context.Context { return ctx },
		[]string{""},
	},
	"node": {
		func(ctx context.Context) context.Context { return client.WithNode(ctx, "127.0.0.1") },
		[]string{""},
	},
	"nodes, one": {
		func(ctx context.Context) context.Context { return client.WithNodes(ctx, "127.0.0.1") },
		[]string{"127.0.0.1"},
	},
	"nodes, two": {
		func(ctx context.Context) context.Context { return client.WithNodes(ctx, "127.0.0.1", "localhost") },
		[]string{"127.0.0.1", "localhost"},
	},
}

func eachWay(t *testing.T, test func(t *testing.T, ctx context.Context, c *client.Client, answers []string)) {
	t.Helper()

	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			ctx, c := connect(t)
			test(t, way.named(ctx), c, way.answers)
		})
	}
}

func TestUnixSocket(t *testing.T) {
	connect(t)

	c, err := client.New(t.Context(), client.WithUnixSocket(os.Getenv("COSI_SOCKET")),
		client.WithGRPCDialOptions(grpc.WithTransportCredentials(insecure.NewCredentials())))
	require.NoError(t, err)

	defer c.Close() //nolint:errcheck

	services, err := c.ServiceInfo(t.Context(), hello)
	require.NoError(t, err)
	assert.Len(t, services, 1)
}

type message interface {
	GetMetadata() *common.Metadata
}

func hostnames[M message](messages []M) []string {
	var names []string

	for _, message := range messages {
		names = append(names, message.GetMetadata().GetHostname())
	}

	return names
}

func TestVersion(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, c *client.Client, answers []string) {
		var remote peer.Peer

		response, err := c.Version(ctx, grpc.Peer(&remote))
		require.NoError(t, err)
		assert.Equal(t, "127.0.0.1", client.AddrFromPeer(&remote))
		assert.Equal(t, answers, hostnames(response.GetMessages()))

		for _, version := range response.GetMessages() {
			_, err := semver.ParseTolerant(version.GetVersion().GetTag())
			require.NoError(t, err)
			assert.True(t, version.GetFeatures().GetRbac())
		}
	})
}

func TestServiceList(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, c *client.Client, answers []string) {
		response, err := c.ServiceList(ctx)
		require.NoError(t, err)
		assert.Equal(t, answers, hostnames(response.GetMessages()))

		for _, node := range response.GetMessages() {
			var ids []string

			for _, service := range node.GetServices() {
				ids = append(ids, service.GetId())
				shown := formatters.ServiceInfoWrapper{ServiceInfo: service}
				assert.Equal(t, "?", shown.HealthStatus())
				assert.NotEqual(t, "<none>", shown.LastEvent())
			}

			assert.Equal(t, []string{greeter, hello, "ext-prepare"}, ids)
		}
	})
}

func TestServiceInfo(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, c *client.Client, answers []string) {
		services, err := c.ServiceInfo(ctx, "ext-prepare")
		require.NoError(t, err)
		require.Len(t, services, len(answers))

		for i, service := range services {
			assert.Equal(t, answers[i], service.Metadata.GetHostname())
			assert.Equal(t, "Finished", service.Service.GetState())
		}

		var block strings.Builder

		require.NoError(t, formatters.RenderServicesInfo(services, &block, "here", true))
		assert.Contains(t, block.String(), "[Finished]: Service finished successfully")

		none, err := c.ServiceInfo(ctx, "ext-nobody")
		require.NoError(t, err)
		assert.Empty(t, none)
	})
}

func phase(t *testing.T, ctx context.Context, c *client.Client) string {
	t.Helper()

	services, err := c.ServiceInfo(ctx, greeter)
	require.NoError(t, err)
	require.NotEmpty(t, services)

	return services[0].Service.GetState()
}

func TestServiceOperations(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, c *client.Client, answers []string) {
		stopped, err := c.ServiceStop(ctx, greeter)
		require.NoError(t, err)
		assert.Equal(t, answers, hostnames(stopped.GetMessages()))
		assert.Equal(t, `Service "ext-greeter" stopped`, stopped.GetMessages()[0].GetResp())
		assert.Equal(t, "Finished", phase(t, ctx, c))

		started, err := c.ServiceStart(ctx, greeter)
		require.NoError(t, err)
		assert.Equal(t, answers, hostnames(started.GetMessages()))
		assert.Equal(t, `Service "ext-greeter" started`, started.GetMessages()[0].GetResp())

		restarted, err := c.ServiceRestart(ctx, greeter)
		require.NoError(t, err)
		assert.Equal(t, answers, hostnames(restarted.GetMessages()))
		assert.Equal(t, `Service "ext-greeter" restarted`, restarted.GetMessages()[0].GetResp())

		_, err = c.ServiceStart(ctx, "ext-nobody")
		assert.ErrorContains(t, err, `service "ext-nobody" not defined`)
	})
}

// read collects what a stream of pieces brings for each node until all have said the text.
func read(t *testing.T, stream machine.MachineService_LogsClient, answers []string, text string) {
	t.Helper()

	said := map[string]string{}

	for _, node := range answers {
		for !strings.Contains(said[node], text) {
			data, err := stream.Recv()
			require.NoError(t, err, "%v", said)

			said[data.GetMetadata().GetHostname()] += string(data.GetBytes())
		}
	}
}

func TestLogs(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, c *client.Client, answers []string) {
		system, driver := constants.SystemContainerdNamespace, common.ContainerDriver_CONTAINERD

		all, err := c.Logs(ctx, system, driver, hello, false, -1)
		require.NoError(t, err)
		read(t, all, answers, "Hello from an extension service!\n")

		_, err = all.Recv()
		assert.ErrorIs(t, err, io.EOF)

		following, err := c.Logs(ctx, system, driver, hello, true, 1)
		require.NoError(t, err)
		read(t, following, answers, "\n")

		ids, err := c.LogsContainers(ctx)
		require.NoError(t, err)
		assert.Equal(t, answers, hostnames(ids.GetMessages()))
		assert.Contains(t, ids.GetMessages()[0].GetIds(), hello)

		nobody, err := c.Logs(ctx, system, driver, "ext-nobody", false, -1)
		require.NoError(t, err)

		_, err = nobody.Recv()
		assert.ErrorContains(t, err, `log "ext-nobody" was not registered`)
	})
}

func TestEvents(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, c *client.Client, answers []string) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()

		running := map[string]bool{}

		require.NoError(t, c.EventsWatch(ctx, func(events <-chan client.Event) {
			for event := range events {
				service, ok := event.Payload.(*machine.ServiceStateEvent)
				assert.True(t, ok, event.TypeURL)
				assert.Len(t, event.ID, 20)

				if service.GetService() == hello && service.GetAction() == machine.ServiceStateEvent_RUNNING {
					running[event.Node] = true
				}

				if len(running) == len(answers) {
					cancel()
				}
			}
		}, client.WithTailEvents(-1)))
		assert.Len(t, running, len(answers), "before the time was over")
	})
}

func TestEventsAreResumed(t *testing.T) {
	ctx, c := connect(t)
	ctx, cancel := context.WithCancel(client.WithNodes(ctx, "127.0.0.1"))
	defer cancel()

	// This one, unlike EventsWatch, takes the first message for a hello, and no other.
	results := make(chan client.EventResult)
	require.NoError(t, c.EventsWatchV2(ctx, results, client.WithTailEvents(2)))

	var ids []string

	for range 2 {
		result := <-results
		require.NoError(t, result.Error)
		assert.Equal(t, "127.0.0.1", result.Event.Node)

		ids = append(ids, result.Event.ID)
	}

	require.NoError(t, c.EventsWatchV2(ctx, results, client.WithTailID(ids[0])))
	assert.Equal(t, ids[1], (<-results).Event.ID)

	stream, err := c.Events(t.Context(), client.WithTailEvents(1), client.WithTailID(ids[0]))
	require.NoError(t, err)

	_, err = stream.Recv()
	assert.ErrorContains(t, err, "WithTailEvents can't be specified at the same time")
}

func TestDependencies(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, c *client.Client, answers []string) {
		response, err := c.Inspect.ControllerRuntimeDependencies(ctx)
		require.NoError(t, err)
		assert.Equal(t, answers, hostnames(response.GetMessages()))

		var owners []string

		for _, edge := range response.GetMessages()[0].GetEdges() {
			if edge.GetEdgeType() == inspect.DependencyEdgeType_OUTPUT_SHARED &&
				edge.GetResourceType() == v1alpha1.ServiceType {
				owners = append(owners, edge.GetControllerName())
			}
		}

		assert.Len(t, owners, 1)

		if len(answers) == 1 {
			assertDrawnAlike(t, ctx, c, response)
		}
	})
}

// assertDrawnAlike compares what talosctl would draw with what `cosi inspect dependencies` has drawn.
func assertDrawnAlike(
	t *testing.T, ctx context.Context, c *client.Client, response *inspect.ControllerRuntimeDependenciesResponse,
) {
	t.Helper()

	var types, resources strings.Builder

	require.NoError(t, formatters.RenderGraph(ctx, c, response, &types, false))
	assert.Equal(t, lines(os.Getenv("COSI_DEPENDENCIES")), lines(types.String()))

	require.NoError(t, formatters.RenderGraph(ctx, c, response, &resources, true))
	assert.Contains(t, resources.String(), "runtime/Services.v1alpha1.talos.dev/"+hello)
}

// lines are those of the text that have something in them.
func lines(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
}
