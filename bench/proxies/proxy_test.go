package main

import (
	"net"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// fakeIstiod has one stream, on which the test itself speaks.
type fakeIstiod struct {
	discovery.UnimplementedAggregatedDiscoveryServiceServer
	t        *testing.T
	stream   discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer
	opened   chan struct{}
	requests chan *discovery.DeltaDiscoveryRequest
}

func (f *fakeIstiod) DeltaAggregatedResources(stream discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	f.stream = stream
	close(f.opened)
	for {
		request, err := stream.Recv()
		if err != nil {
			return nil
		}
		f.requests <- request
	}
}

// expects is the next request of the proxy: its type, its nonce, and what it subscribes to and no longer needs.
func (f *fakeIstiod) expects(kind, nonce string, added, removed []string) {
	f.t.Helper()
	select {
	case got := <-f.requests:
		slices.Sort(got.ResourceNamesSubscribe)
		slices.Sort(got.ResourceNamesUnsubscribe)
		if got.TypeUrl != kind || got.ResponseNonce != nonce || !slices.Equal(got.ResourceNamesSubscribe, added) ||
			!slices.Equal(got.ResourceNamesUnsubscribe, removed) {
			f.t.Fatalf("%s with nonce %q, %q and %q expected, and it was %v", kind, nonce, added, removed, got)
		}
	case <-time.After(10 * time.Second):
		f.t.Fatalf("the proxy has not sent %s with nonce %q, %q and %q", kind, nonce, added, removed)
	}
}

// quiet fails if the proxy sends something.
func (f *fakeIstiod) quiet() {
	f.t.Helper()
	select {
	case got := <-f.requests:
		f.t.Fatalf("nothing expected, and it was %v", got)
	case <-time.After(200 * time.Millisecond):
	}
}

func (f *fakeIstiod) sends(kind, nonce string, removed []string, resources map[string]proto.Message) {
	f.t.Helper()
	response := &discovery.DeltaDiscoveryResponse{TypeUrl: kind, Nonce: nonce, RemovedResources: removed}
	for name, one := range resources {
		packed, err := anypb.New(one)
		if err != nil {
			f.t.Fatal(err)
		}
		response.Resources = append(response.Resources, &discovery.Resource{Name: name, Resource: packed})
	}
	if err := f.stream.Send(response); err != nil {
		f.t.Fatal(err)
	}
}

// started is a proxy with the label and the listener, and its istiod.
func started(t *testing.T) (*fakeIstiod, *proxy) {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	istiod := &fakeIstiod{t: t, opened: make(chan struct{}), requests: make(chan *discovery.DeltaDiscoveryRequest, 10)}
	server := grpc.NewServer()
	discovery.RegisterAggregatedDiscoveryServiceServer(server, istiod)
	go func() { _ = server.Serve(socket) }()
	one := newProxy(&group{name: "g", namespace: "jobs", has: "listener", counts: map[string]*count{}}, "g-0", "10.128.0.2", "1.30.3")
	go one.run(socket.Addr().String())
	<-istiod.opened
	return istiod, one
}

func eds(service string) *cluster.Cluster {
	return &cluster.Cluster{
		ClusterDiscoveryType: &cluster.Cluster_Type{Type: cluster.Cluster_EDS},
		EdsClusterConfig:     &cluster.Cluster_EdsClusterConfig{ServiceName: service},
	}
}

func http(t *testing.T, route, extension string) *listener.Listener {
	t.Helper()
	manager := &hcm.HttpConnectionManager{
		RouteSpecifier: &hcm.HttpConnectionManager_Rds{Rds: &hcm.Rds{RouteConfigName: route}},
		HttpFilters:    []*hcm.HttpFilter{{Name: "router", ConfigType: &hcm.HttpFilter_TypedConfig{}}},
	}
	if extension != "" {
		found := &hcm.HttpFilter_ConfigDiscovery{ConfigDiscovery: &core.ExtensionConfigSource{}}
		manager.HttpFilters = append(manager.HttpFilters, &hcm.HttpFilter{Name: extension, ConfigType: found})
	}
	packed, err := anypb.New(manager)
	if err != nil {
		t.Fatal(err)
	}
	filter := &listener.Filter{ConfigType: &listener.Filter_TypedConfig{TypedConfig: packed}}
	return &listener.Listener{FilterChains: []*listener.FilterChain{{Filters: []*listener.Filter{filter}}}}
}

func TestAProxySubscribesAsEnvoyDoes(t *testing.T) {
	istiod, one := started(t)
	first := <-istiod.requests
	labels := first.Node.Metadata.Fields["LABELS"].GetStructValue().Fields
	if first.TypeUrl != clusters || labels["exeunt.dev/drain"].GetStringValue() != "on" ||
		first.Node.Metadata.Fields["HTTP_PROXY_PORT"].GetStringValue() != signalPort {
		t.Fatal(first)
	}

	istiod.sends(clusters, "c1", nil, map[string]proto.Message{"a": eds("a-service"), "b": &cluster.Cluster{}})
	istiod.expects(clusters, "c1", nil, nil)
	istiod.expects(endpoints, "", []string{"a-service"}, nil)
	istiod.quiet()
	istiod.sends(endpoints, "e1", nil, nil)
	istiod.expects(endpoints, "e1", nil, nil)
	istiod.expects(listeners, "", nil, nil)

	istiod.sends(listeners, "l1", nil, map[string]proto.Message{"80": http(t, "80", ""), "15190": http(t, "15190", "exeunt")})
	istiod.expects(listeners, "l1", nil, nil)
	istiod.expects(routes, "", []string{"15190", "80"}, nil)
	istiod.expects(extensions, "", []string{"exeunt"}, nil)
	istiod.sends(routes, "r1", nil, nil)
	istiod.expects(routes, "r1", nil, nil)
	select {
	case <-one.ready:
		t.Fatal("the proxy is ready without its extension")
	case <-time.After(100 * time.Millisecond):
	}
	istiod.sends(extensions, "x1", nil, map[string]proto.Message{"exeunt": &core.TypedExtensionConfig{Name: "exeunt"}})
	istiod.expects(extensions, "x1", nil, nil)
	<-one.ready

	// What nothing names any more is not asked for any more.
	istiod.sends(listeners, "l2", nil, map[string]proto.Message{"15190": http(t, "15190", "")})
	istiod.expects(listeners, "l2", nil, nil)
	istiod.expects(extensions, "", nil, []string{"exeunt"})
	istiod.sends(clusters, "c2", []string{"a"}, nil)
	istiod.expects(clusters, "c2", nil, nil)
	istiod.expects(endpoints, "", nil, []string{"a-service"})
	istiod.quiet()

	one.group.mutex.Lock()
	defer one.group.mutex.Unlock()
	if got := one.group.counts["TypedExtensionConfig"]; got == nil || got.Pushes != 1 || got.Resources != 1 || got.Bytes < 10 {
		t.Fatal(got)
	}
}
