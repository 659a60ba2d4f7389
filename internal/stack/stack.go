// Package stack is the one list of what a stack consists of, and says what belongs to which stack.
package stack

import (
	"fmt"
	"slices"

	"lookout/internal/docker"
)

// A Service is one program of a stack. Its name is the service's alias in the Docker network, the end of its
// container's name, its key in the platform's variables `ports` and `images`, and the platform's output about it.
type Service struct {
	Name string
	// Port is published on 127.0.0.1 in the environment local.
	Port int
	// ContainerPort is where it listens inside the network.
	ContainerPort int
	// Health is the path that answers 200 once it can be used.
	Health string
	// About says what a person finds there.
	About string
	// Optional services may be absent.
	Optional bool
	// Demo services are part of local only: a sample to watch and a robot to send to.
	Demo bool
	// Volume is the end of the name of the volume that holds what the service cannot make again, and Data where it is
	// mounted; "" without one. Backups hold these.
	Volume, Data string
}

// Services are all of them, in the order in which a person wants to know about them.
var Services = []Service{
	{Name: "console", Port: 8090, ContainerPort: 8090, Health: "/-/ready", About: "dashboards, alerts and silences, live"},
	{Name: "grafana", Port: 3001, ContainerPort: 3000, Health: "/api/health", About: "dashboards and alert rules", Optional: true,
		Volume: "grafana-data", Data: "/var/lib/grafana"},
	{Name: "prometheus", Port: 9090, ContainerPort: 9090, Health: "/-/ready", About: "targets, queries and alert rules",
		Volume: "prometheus-data", Data: "/prometheus"},
	{Name: "alertmanager", Port: 9093, ContainerPort: 9093, Health: "/-/ready", About: "groups, routes and silences of alerts",
		Volume: "alertmanager-data", Data: "/alertmanager"},
	{Name: "exporter", Port: 9100, ContainerPort: 9100, Health: "/-/ready", About: "the sample service", Demo: true},
	{Name: "robot", Port: 8060, ContainerPort: 8060, Health: "/-/ready", About: "what arrived in the chat (a mock of DingTalk)", Demo: true},
	{Name: "relay", Port: 8070, ContainerPort: 8070, Health: "/-/ready", About: "deliveries to the chat",
		Volume: "relay-spool", Data: "/var/lib/relay"},
}

// Names lists the services' names, sorted.
func Names() []string {
	names := make([]string, 0, len(Services))
	for _, s := range Services {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}

// Named returns a service by its name.
func Named(name string) (Service, bool) {
	for _, s := range Services {
		if s.Name == name {
			return s, true
		}
	}
	return Service{}, false
}

// URL is where a service answers on this machine when it has a port.
func URL(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }

// The labels that every container, network and volume of a stack carries.
const (
	// LabelStack holds the stack's identity, which is made when it is first created.
	LabelStack = "lookout.stack"
	// LabelEnvironment holds the stack's name.
	LabelEnvironment = "lookout.environment"
)

// Identity tells one stack from every other one. Platforms have it as their output "stack".
type Identity struct {
	// ID is made when the stack is first created, and is in its state. It is "" for a stack of an earlier commit, and
	// for one that does not exist.
	ID string `json:"id"`
	// Name is the prefix of everything in the engine.
	Name string `json:"name"`
	// Alerting is the engine of its alerts: prometheus or grafana.
	Alerting string `json:"alerting"`
}

// Ownership says which objects of the engine belong to a checkout's stack.
type Ownership struct {
	Identity
	// Recorded are ids of the objects in the stack's state: its own, whatever their labels.
	Recorded map[string]bool
	// IDs are further identities that are known to be this checkout's: of a stack whose state was lost.
	IDs []string
}

// Owns reports whether an object is this stack's own: it is in its state, or carries its identity.
func (o Ownership) Owns(object docker.Object) bool {
	if o.Recorded[object.ID] {
		return true
	}
	id := object.Labels[LabelStack]
	return id != "" && (id == o.ID || slices.Contains(o.IDs, id))
}

// Claims reports whether an object stands where this stack would be: its label has the stack's name. Names are compared
// whole: "lookout-dev" does not claim what belongs to "lookout-dev-eu".
func (o Ownership) Claims(object docker.Object) bool {
	return o.Owns(object) || o.Name != "" && object.Labels[LabelEnvironment] == o.Name
}

// Sort splits what claims the stack's place into what is its own and what is foreign.
func (o Ownership) Sort(objects []docker.Object) (own, foreign []docker.Object) {
	for _, object := range objects {
		switch {
		case o.Owns(object):
			own = append(own, object)
		case o.Claims(object):
			foreign = append(foreign, object)
		}
	}
	return own, foreign
}
