// Package interop runs COSI's own published conformance suite, through its own gRPC client, against
// a server that is not its own. COSI_SOCKET names the server's Unix socket; tests/interop/test_go.py
// starts one for each test.
package interop

import (
	"os"
	"testing"
	"time"

	"github.com/cosi-project/runtime/api/v1alpha1"
	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/resource/meta"
	"github.com/cosi-project/runtime/pkg/resource/protobuf"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/conformance"
	"github.com/cosi-project/runtime/pkg/state/protobuf/client"
	"github.com/stretchr/testify/require"
	"github.com/stretchr/testify/suite"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func connect(t *testing.T) state.State {
	t.Helper()

	socket := os.Getenv("COSI_SOCKET")
	if socket == "" {
		t.Skip("COSI_SOCKET names no server")
	}

	connection, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { connection.Close() }) //nolint:errcheck

	return state.WrapCore(client.NewAdapter(v1alpha1.NewStateClient(connection)))
}

func TestConformance(t *testing.T) {
	// Without this the client hands back carriers, which the suite cannot compare with its own.
	require.NoError(t, protobuf.RegisterResource(conformance.PathResourceType, &conformance.PathResource{}))

	suite.Run(t, &conformance.StateSuite{
		State:      connect(t),
		Namespaces: []resource.Namespace{"default", "controller", "system", "runtime"},
	})
}

// TestEachOther is half of a conversation; the other half is in tests/interop/test_go.py. Each side
// watches the kind, and does its next step when it has seen the other's.
func TestEachOther(t *testing.T) {
	st := connect(t)
	kind := resource.NewMetadata(meta.NamespaceName, meta.NamespaceType, "", resource.VersionUndefined)
	events := make(chan state.Event)

	require.NoError(t, st.WatchKind(t.Context(), kind, events, state.WithBootstrapContents(true)))

	see := func(id string, what state.EventType) *meta.Namespace {
		t.Helper()

		for {
			select {
			case event := <-events:
				require.NoError(t, event.Error)

				if event.Type == what && event.Resource.Metadata().ID() == id {
					return event.Resource.(*meta.Namespace) //nolint:forcetypeassert
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("did not see %s: %s", id, what)
			}
		}
	}

	hello := meta.NewNamespace("go", meta.NamespaceSpec{Description: "written by Go"})
	require.NoError(t, st.Create(t.Context(), hello))

	theirs := see("python", state.Created)
	require.Equal(t, "written by Python", theirs.TypedSpec().Description)
	require.Equal(t, "yes", labelOf(theirs, "seen"))

	require.NoError(t, st.AddFinalizer(t.Context(), theirs.Metadata(), "go"))

	for see("python", state.Updated).Metadata().Phase() != resource.PhaseTearingDown {
	}

	require.NoError(t, st.RemoveFinalizer(t.Context(), theirs.Metadata(), "go"))
	see("python", state.Destroyed)

	require.NoError(t, st.TeardownAndDestroy(t.Context(), hello.Metadata()))
}

func labelOf(r resource.Resource, key string) string {
	value, _ := r.Metadata().Labels().Get(key)

	return value
}
