// Command proxies connects to istiod as many sidecar proxies, and counts what istiod sends them.
//
// The client is Istio's own, pkg/adsc, with delta xDS as every proxy has it. Each proxy subscribes to what Envoy would: all clusters and
// listeners, and the endpoints, routes and extensions that these name. Its labels stand in its own metadata, as no pod is behind it.
//
// It prints a line of JSON when all are connected, and one for each line that it reads; at the end of its input it ends.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/stats"
	"google.golang.org/protobuf/types/known/structpb"

	"istio.io/istio/pkg/adsc"
	"istio.io/istio/pkg/log"
)

const (
	// Istiod admits a limited number of new proxies in a second, and the others wait.
	atOnce = 50
	// The signal listener of a proxy that takes part.
	signalPort = "15190"
	// The type of what a listener's `config_discovery` names.
	extensionType = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
)

// group is a kind of proxies, and what they were sent.
type group struct {
	name, namespace string
	takesPart       bool
	proxies         int

	mutex  sync.Mutex
	counts map[string]*count
}

// count is what istiod has sent of one type.
type count struct {
	Pushes    int `json:"pushes"`
	Bytes     int `json:"bytes"`
	Resources int `json:"resources"`
}

// The time of the last message to any proxy, in nanoseconds of Unix time.
var lastMessage atomic.Int64

func main() {
	address := flag.String("address", "", "HOST:PORT of istiod's plain-text port, usually 15010")
	release := flag.String("istio", "", "the release that the proxies say they are")
	flag.Parse()
	groups, err := read(flag.Args())
	if err != nil || *address == "" {
		fmt.Fprintln(os.Stderr, "usage: proxies --address HOST:PORT --istio RELEASE NAME:NAMESPACE:on|off:COUNT...", err)
		os.Exit(64)
	}
	quiet()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := connect(ctx, *address, *release, groups); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	report(groups)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		report(groups)
	}
}

// read reads the groups from the command line.
func read(words []string) ([]*group, error) {
	groups := make([]*group, 0, len(words))
	for _, word := range words {
		parts := strings.Split(word, ":")
		if len(parts) != 4 {
			return nil, fmt.Errorf("%s has not four parts", word)
		}
		var proxies int
		if _, err := fmt.Sscan(parts[3], &proxies); err != nil {
			return nil, err
		}
		groups = append(groups, &group{
			name: parts[0], namespace: parts[1], takesPart: parts[2] == "on", proxies: proxies, counts: map[string]*count{},
		})
	}
	return groups, nil
}

// quiet turns off the client's messages about every response.
func quiet() {
	options := log.DefaultOptions()
	options.OutputPaths = []string{"stderr"}
	options.SetDefaultOutputLevel("all", log.ErrorLevel)
	if err := log.Configure(options); err != nil {
		panic(err)
	}
}

// connect starts all proxies and waits until each has its clusters and listeners.
func connect(ctx context.Context, address, release string, groups []*group) error {
	places := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	late := atomic.Int64{}
	ip := netip.MustParseAddr("10.128.0.1")
	for _, group := range groups {
		for number := range group.proxies {
			ip = ip.Next()
			client := group.client(address, release, fmt.Sprintf("%s-%d", group.name, number), ip.String())
			places <- struct{}{}
			all.Add(1)
			go client.Run(ctx)
			go func() {
				defer func() { <-places; all.Done() }()
				select {
				case <-client.Synced():
				case <-time.After(time.Minute):
					late.Add(1)
				}
			}()
		}
	}
	all.Wait()
	if late.Load() > 0 {
		return fmt.Errorf("%d proxies have not got their configuration within a minute", late.Load())
	}
	return nil
}

// client makes one proxy.
func (g *group) client(address, release, name, ip string) *adsc.Client {
	labels := map[string]any{"app": name}
	metadata := map[string]any{
		"CLUSTER_ID": "Kubernetes", "NAMESPACE": g.namespace, "ISTIO_VERSION": release, "LABELS": labels, "MESH_ID": "cluster.local",
	}
	if g.takesPart {
		labels["exeunt.dev/drain"] = "on"
		metadata["HTTP_PROXY_PORT"] = signalPort
	}
	meta, err := structpb.NewStruct(metadata)
	if err != nil {
		panic(err)
	}
	config := adsc.Config{
		ClientName: name, Namespace: g.namespace, Workload: name, IP: ip, Meta: meta,
		GrpcOpts: []grpc.DialOption{
			grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithStatsHandler(g), grpc.WithStreamInterceptor(asEnvoy),
		},
	}
	return adsc.NewDelta(address, &adsc.DeltaADSConfig{Config: config},
		adsc.Register(func(ctx adsc.HandlerContext, name, _ string, found *cluster.Cluster, _ adsc.Event) {
			if found.GetType() == cluster.Cluster_EDS {
				ctx.RegisterDependency("type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment", name)
			}
		}),
		adsc.Register(func(ctx adsc.HandlerContext, _, _ string, found *listener.Listener, _ adsc.Event) { follow(ctx, found) }),
		adsc.Register(func(adsc.HandlerContext, string, string, *endpoint.ClusterLoadAssignment, adsc.Event) {}),
		adsc.Register(func(adsc.HandlerContext, string, string, *route.RouteConfiguration, adsc.Event) {}),
		adsc.Register(func(adsc.HandlerContext, string, string, *core.TypedExtensionConfig, adsc.Event) {}),
		adsc.Watch[*cluster.Cluster]("*"),
		adsc.Watch[*listener.Listener]("*"),
	)
}

// asEnvoy makes the client's stream subscribe as Envoy does.
func asEnvoy(
	ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	stream, err := open(ctx, desc, conn, method, options...)
	return subscriber{stream}, err
}

// subscriber sends a new subscription without a nonce. Istio's client sends that of another type's response, and istiod then takes the
// request for an old one and does not answer.
type subscriber struct{ grpc.ClientStream }

// SendMsg sends a request.
func (s subscriber) SendMsg(message any) error {
	if request, ok := message.(*discovery.DeltaDiscoveryRequest); ok && len(request.ResourceNamesSubscribe) > 0 {
		request.ResponseNonce = ""
	}
	return s.ClientStream.SendMsg(message)
}

// follow subscribes to the routes and extensions that a listener names.
func follow(ctx adsc.HandlerContext, found *listener.Listener) {
	chains := found.GetFilterChains()
	if last := found.GetDefaultFilterChain(); last != nil {
		chains = append(chains, last)
	}
	for _, chain := range chains {
		for _, filter := range chain.GetFilters() {
			manager := &hcm.HttpConnectionManager{}
			if filter.GetTypedConfig().UnmarshalTo(manager) != nil {
				continue
			}
			if name := manager.GetRds().GetRouteConfigName(); name != "" {
				ctx.RegisterDependency("type.googleapis.com/envoy.config.route.v3.RouteConfiguration", name)
			}
			for _, http := range manager.GetHttpFilters() {
				if http.GetConfigDiscovery() != nil {
					ctx.RegisterDependency(extensionType, http.GetName())
				}
			}
		}
	}
}

// report prints what every group was sent so far, and how long ago the last message was.
func report(groups []*group) {
	sent := map[string]map[string]*count{}
	for _, group := range groups {
		group.mutex.Lock()
		defer group.mutex.Unlock()
		sent[group.name] = group.counts
	}
	silence := time.Since(time.Unix(0, lastMessage.Load())).Seconds()
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"sent": sent, "silence": silence}); err != nil {
		panic(err)
	}
}

// HandleRPC counts a message from istiod, as it was on the wire.
func (g *group) HandleRPC(_ context.Context, event stats.RPCStats) {
	received, ok := event.(*stats.InPayload)
	if !ok {
		return
	}
	response, ok := received.Payload.(*discovery.DeltaDiscoveryResponse)
	if !ok {
		return
	}
	lastMessage.Store(time.Now().UnixNano())
	kind := response.TypeUrl[strings.LastIndex(response.TypeUrl, ".")+1:]
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.counts[kind] == nil {
		g.counts[kind] = &count{}
	}
	g.counts[kind].Pushes++
	g.counts[kind].Bytes += received.WireLength
	g.counts[kind].Resources += len(response.Resources)
}

// TagRPC, TagConn and HandleConn complete the interface stats.Handler.
func (g *group) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (g *group) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (g *group) HandleConn(context.Context, stats.ConnStats)                       {}
