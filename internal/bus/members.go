package bus

import (
	"slices"

	"gracevisor/internal/control"
)

// iface describes an interface.
type iface struct {
	name       string
	methods    []method
	signals    []signal
	properties []property
}

type argument struct{ name, signature string }

type method struct {
	name    string
	in, out []argument
	serve   func(*call) ([]any, error)
}

type signal struct {
	name string
	args []argument
}

// emission is the value of the annotation EmitsChangedSignal.
type emission string

const (
	announced   emission = "true"
	invalidated emission = "invalidates"
	silent      emission = "false"
	constant    emission = "const"
)

type property struct {
	name, signature string
	emits           emission
	// secret: only who may manage the app is to see it.
	secret bool
	value  func(*facts) any
}

// facts are what the properties of an object are made of.
type facts struct {
	version  control.Version
	file     string
	daemon   control.DaemonState
	app      *control.AppStatus
	settings *control.Settings
	job      *control.Job
}

func (i *iface) method(name string) *method {
	n := slices.IndexFunc(i.methods, func(m method) bool { return m.name == name })
	if n < 0 {
		return nil
	}
	return &i.methods[n]
}

func (i *iface) property(name string) *property {
	n := slices.IndexFunc(i.properties, func(p property) bool { return p.name == name })
	if n < 0 {
		return nil
	}
	return &i.properties[n]
}

// signatureOf puts the types of arguments together.
func signatureOf(args []argument) (signature string) {
	for _, a := range args {
		signature += a.signature
	}
	return signature
}

// one is a list of one argument.
func one(name, signature string) []argument { return []argument{{name, signature}} }

// own are the interfaces of gracevisor, by the kind of object that has them;
// standard are those of D-Bus that come with each object. They are filled at
// initialisation, because what serves a call looks into them.
var (
	own      map[kind]*iface
	standard []*iface
	objects  *iface
)

func init() {
	own = map[kind]*iface{manager: managerMembers(), appObject: appMembers(), jobObject: jobMembers()}
	standard = []*iface{introspectMembers(), peerMembers(), propertiesMembers()}
	objects = objectManagerMembers()
}

// interfaces are those of an object.
func (o object) interfaces() []*iface {
	var all []*iface
	if i := own[o.kind]; i != nil {
		all = append(all, i)
	}
	if o.kind == manager {
		all = append(all, objects)
	}
	return append(all, standard...)
}

func introspectMembers() *iface {
	return &iface{name: introspectName, methods: []method{
		{"Introspect", nil, one("xml_data", "s"), (*call).introspect},
	}}
}

// peerMembers are described only: Ping the library answers, and GetMachineId
// is passed on to machineInterface.
func peerMembers() *iface {
	return &iface{name: peerName, methods: []method{
		{"Ping", nil, nil, func(*call) ([]any, error) { return nil, nil }},
		{"GetMachineId", nil, one("machine_uuid", "s"), (*call).machineID},
	}}
}

func propertiesMembers() *iface {
	return &iface{name: propertiesName,
		methods: []method{
			{"Get", []argument{{"interface_name", "s"}, {"property_name", "s"}}, one("value", "v"), (*call).get},
			{"GetAll", one("interface_name", "s"), one("props", "a{sv}"), (*call).getAll},
			{"Set", []argument{{"interface_name", "s"}, {"property_name", "s"}, {"value", "v"}}, nil, (*call).set},
		},
		signals: []signal{{"PropertiesChanged", []argument{
			{"interface_name", "s"}, {"changed_properties", "a{sv}"}, {"invalidated_properties", "as"}}}},
	}
}

func objectManagerMembers() *iface {
	return &iface{name: objectManager,
		methods: []method{
			{"GetManagedObjects", nil, one("object_paths_interfaces_and_properties", "a{oa{sa{sv}}}"), (*call).managedObjects},
		},
		signals: []signal{
			{"InterfacesAdded", []argument{{"object_path", "o"}, {"interfaces_and_properties", "a{sa{sv}}"}}},
			{"InterfacesRemoved", []argument{{"object_path", "o"}, {"interfaces", "as"}}},
		},
	}
}
