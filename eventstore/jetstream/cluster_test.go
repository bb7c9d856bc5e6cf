package jetstream_test

import (
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/jetstream"
	"github.com/daybook-ledger/daybook/testing/storetest"
)

// runCluster runs three servers and gives the address of one.
func runCluster(t *testing.T) string {
	t.Helper()
	var routes []*url.URL
	var ports []int
	for range 3 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, mustPort(t, listener.Addr().String()))
		routes = append(routes, &url.URL{Scheme: "nats", Host: listener.Addr().String()})
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var servers []*server.Server
	for i, port := range ports {
		servers = append(servers, newServer(t, &server.Options{
			ServerName: fmt.Sprint("node", i), StoreDir: fastDir(t), Routes: routes,
			Cluster: server.ClusterOpts{Name: "books", Host: "127.0.0.1", Port: port},
		}))
	}
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		for _, s := range servers {
			if s.JetStreamIsLeader() && len(s.JetStreamClusterPeers()) == 3 {
				return servers[0].ClientURL()
			}
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatal("the cluster found no leader")
		}
	}
}

// TestConformanceCluster runs the suite on a log with three replicas.
func TestConformanceCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("three servers take their time")
	}
	t.Parallel()
	address := runCluster(t)
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		one := uuid.New() // a book for each test, so that one cluster serves all
		open := func(t *testing.T, c *jetstream.External) *jetstream.Store {
			s, err := jetstream.Open(within(t), c, one)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		c := dial(t, address)
		if err := jetstream.Create(within(t), c, one, 3); err != nil {
			t.Fatal(err)
		}
		return storetest.Harness{
			Store:   open(t, c),
			Another: func(t *testing.T) eventstore.Store { return open(t, dial(t, address)) },
			Reopen: func(t *testing.T) eventstore.Store {
				c.Close()
				return open(t, dial(t, address))
			},
		}
	})
}
