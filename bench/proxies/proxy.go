package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

const (
	clusters   = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	endpoints  = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
	listeners  = "type.googleapis.com/envoy.config.listener.v3.Listener"
	routes     = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
	extensions = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
	// The port of the signal listener.
	signalPort = "15190"
)

type names map[string]struct{}

// proxy is one sidecar proxy on a stream of delta xDS.
//
// It subscribes as Envoy does: to all clusters, then to the endpoints that they name, then to all listeners, then to the routes and
// extensions that these name. A new subscription has no nonce, and each response gets one acknowledgement. Istio's own client, pkg/adsc,
// has the nonce of another type's response in its subscriptions, which istiod then ignores, and it exits when a cluster is removed.
type proxy struct {
	group  *group
	node   *core.Node
	stream discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	// What each cluster and each listener names, by the type of what it names.
	named map[string]map[string]names
	// What the proxy is subscribed to, by type.
	subscribed map[string]names
	asked      bool
	// Closed when its listeners, and all that they name, are there.
	ready   chan struct{}
	missing map[string]bool
}

// newProxy makes a proxy. Its labels stand in its own metadata, as no pod is behind it.
func newProxy(of *group, name, ip, release string) *proxy {
	labels := map[string]any{"app": name}
	metadata := map[string]any{
		"CLUSTER_ID": "Kubernetes", "NAMESPACE": of.namespace, "ISTIO_VERSION": release, "LABELS": labels, "MESH_ID": "cluster.local",
	}
	if of.has != "none" {
		labels["exeunt.dev/drain"] = "on"
	}
	if of.has == "listener" {
		metadata["HTTP_PROXY_PORT"] = signalPort
	}
	meta, err := structpb.NewStruct(metadata)
	if err != nil {
		panic(err)
	}
	return &proxy{
		group: of,
		node: &core.Node{
			Id:       fmt.Sprintf("sidecar~%s~%s.%s~%s.svc.cluster.local", ip, name, of.namespace, of.namespace),
			Metadata: meta,
		},
		named:      map[string]map[string]names{endpoints: {}, routes: {}, extensions: {}},
		subscribed: map[string]names{endpoints: {}, routes: {}, extensions: {}},
		missing:    map[string]bool{listeners: true},
		ready:      make(chan struct{}),
	}
}

// run connects, and follows what istiod sends until the program ends. A proxy that loses its stream makes every figure wrong.
func (p *proxy) run(address string) {
	connection, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithStatsHandler(p.group),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)))
	if err == nil {
		err = p.follow(discovery.NewAggregatedDiscoveryServiceClient(connection))
	}
	fmt.Fprintln(os.Stderr, p.node.Id, err)
	os.Exit(1)
}

// follow reads what istiod sends. A stream that istiod refuses because it has admitted enough in this second is opened again.
func (p *proxy) follow(client discovery.AggregatedDiscoveryServiceClient) error {
	response, err := p.open(client)
	for status.Code(err) == codes.ResourceExhausted {
		time.Sleep(time.Second/2 + rand.N(time.Second/2))
		response, err = p.open(client)
	}
	for err == nil {
		if err = p.take(response); err == nil {
			response, err = p.stream.Recv()
		}
	}
	return err
}

// open opens a stream and returns the first response.
func (p *proxy) open(client discovery.AggregatedDiscoveryServiceClient) (*discovery.DeltaDiscoveryResponse, error) {
	var err error
	if p.stream, err = client.DeltaAggregatedResources(context.Background(), grpc.WaitForReady(true)); err != nil {
		return nil, err
	}
	// A stream that is closed says why when it is read.
	if err = p.stream.Send(&discovery.DeltaDiscoveryRequest{Node: p.node, TypeUrl: clusters}); err != nil && err != io.EOF {
		return nil, err
	}
	return p.stream.Recv()
}

// take acknowledges a response, and subscribes to what its resources name.
func (p *proxy) take(response *discovery.DeltaDiscoveryResponse) error {
	kind := response.TypeUrl
	if err := p.stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: kind, ResponseNonce: response.Nonce}); err != nil {
		return err
	}
	for _, one := range response.Resources {
		if err := p.read(kind, one); err != nil {
			return err
		}
	}
	for _, name := range response.RemovedResources {
		p.forget(kind, name)
	}
	for _, named := range []string{endpoints, routes, extensions} {
		if err := p.subscribe(named); err != nil {
			return err
		}
	}
	if (kind == endpoints || len(p.subscribed[endpoints]) == 0) && !p.asked {
		p.asked = true
		if err := p.stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: listeners}); err != nil {
			return err
		}
	}
	p.note(kind)
	return nil
}

// read notes what a resource names.
func (p *proxy) read(kind string, resource *discovery.Resource) error {
	switch kind {
	case clusters:
		found := &cluster.Cluster{}
		if err := resource.Resource.UnmarshalTo(found); err != nil {
			return err
		}
		p.forget(kind, resource.Name)
		if found.GetType() == cluster.Cluster_EDS {
			name := found.GetEdsClusterConfig().GetServiceName()
			if name == "" {
				name = found.Name
			}
			p.named[endpoints][resource.Name] = names{name: {}}
		}
	case listeners:
		found := &listener.Listener{}
		if err := resource.Resource.UnmarshalTo(found); err != nil {
			return err
		}
		p.named[routes][resource.Name], p.named[extensions][resource.Name] = namedBy(found)
	}
	return nil
}

// forget removes what a resource named.
func (p *proxy) forget(kind, name string) {
	switch kind {
	case clusters:
		delete(p.named[endpoints], name)
	case listeners:
		delete(p.named[routes], name)
		delete(p.named[extensions], name)
	}
}

// subscribe tells istiod which resources of a type are new, and which are no longer needed.
func (p *proxy) subscribe(kind string) error {
	wanted := names{}
	for _, several := range p.named[kind] {
		for name := range several {
			wanted[name] = struct{}{}
		}
	}
	request := &discovery.DeltaDiscoveryRequest{
		TypeUrl:                  kind,
		ResourceNamesSubscribe:   without(wanted, p.subscribed[kind]),
		ResourceNamesUnsubscribe: without(p.subscribed[kind], wanted),
	}
	if len(request.ResourceNamesSubscribe)+len(request.ResourceNamesUnsubscribe) == 0 {
		return nil
	}
	if len(request.ResourceNamesSubscribe) > 0 {
		p.missing[kind] = true
	}
	p.subscribed[kind] = wanted
	return p.stream.Send(request)
}

// note closes `ready` once nothing is missing any more.
func (p *proxy) note(kind string) {
	select {
	case <-p.ready:
	default:
		delete(p.missing, kind)
		if len(p.missing) == 0 {
			close(p.ready)
		}
	}
}

// namedBy is the routes and the extensions that a listener names.
func namedBy(found *listener.Listener) (names, names) {
	ofRoutes, ofExtensions := names{}, names{}
	for _, chain := range append(found.GetFilterChains(), found.GetDefaultFilterChain()) {
		for _, filter := range chain.GetFilters() {
			manager := &hcm.HttpConnectionManager{}
			if filter.GetTypedConfig().UnmarshalTo(manager) != nil {
				continue
			}
			if name := manager.GetRds().GetRouteConfigName(); name != "" {
				ofRoutes[name] = struct{}{}
			}
			for _, http := range manager.GetHttpFilters() {
				if http.GetConfigDiscovery() != nil {
					ofExtensions[http.GetName()] = struct{}{}
				}
			}
		}
	}
	return ofRoutes, ofExtensions
}

// without is the names that are not in others.
func without(these, others names) []string {
	var left []string
	for name := range these {
		if _, ok := others[name]; !ok {
			left = append(left, name)
		}
	}
	return left
}
