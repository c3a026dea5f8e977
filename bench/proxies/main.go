// Command proxies connects to istiod as many sidecar proxies, and counts what istiod sends them.
//
// It prints a line of JSON when all are connected, and one for each line that it reads. At the end of its input it ends.
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

	"google.golang.org/grpc/stats"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

const (
	// Istiod admits a limited number of new proxies in a second, and the others wait.
	atOnce = 50
	within = time.Minute
)

// group is a kind of proxies, and what they were sent.
type group struct {
	name, namespace string
	// What a proxy has for the plugin: "listener" is the label and the signal listener, "label" the label alone, "none" nothing.
	has     string
	proxies int

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
		fmt.Fprintln(os.Stderr, "usage: proxies --address HOST:PORT --istio RELEASE NAME:NAMESPACE:listener|label|none:COUNT...", err)
		os.Exit(64)
	}
	if err := connect(*address, *release, groups); err != nil {
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
			name: parts[0], namespace: parts[1], has: parts[2], proxies: proxies, counts: map[string]*count{},
		})
	}
	return groups, nil
}

// connect starts all proxies and waits until each has its listeners, and what they name.
func connect(address, release string, groups []*group) error {
	places := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	late := atomic.Int64{}
	ip := netip.MustParseAddr("10.128.0.1")
	for _, group := range groups {
		for number := range group.proxies {
			ip = ip.Next()
			one := newProxy(group, fmt.Sprintf("%s-%d", strings.ReplaceAll(group.name, " ", "-"), number), ip.String(), release)
			places <- struct{}{}
			all.Add(1)
			go one.run(address)
			go func() {
				defer func() { <-places; all.Done() }()
				select {
				case <-one.ready:
				case <-time.After(within):
					late.Add(1)
				}
			}()
		}
	}
	all.Wait()
	if late.Load() > 0 {
		return fmt.Errorf("%d proxies have not got their configuration within %s", late.Load(), within)
	}
	return nil
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
