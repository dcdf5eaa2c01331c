package bus

import (
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"

	"gracevisor/internal/control"
)

var update = flag.Bool("update", false, "write the introspection files of the package")

const goldenDir = "../../packaging/dbus"

// TestIntrospectionFiles: a change of the interfaces is a visible one.
func TestIntrospectionFiles(t *testing.T) {
	files := IntrospectionFiles()
	for name, want := range files {
		path := filepath.Join(goldenDir, name)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s is not what the daemon says of itself: run this test with -update (%v)", name, err)
		}
	}
	if kept, _ := filepath.Glob(goldenDir + "/*.xml"); len(kept) != len(files) {
		t.Errorf("%d files are kept of %d: %q", len(kept), len(files), kept)
	}
}

func TestPathsOfApps(t *testing.T) {
	for name, want := range map[string]string{
		"demo": "demo", "a-b.c_d": "a_2db_2ec_5fd", "1st": "_31st", "A9": "A9", "": "_", "a/b": "a_2fb", "é": "_c3_a9",
	} {
		got := escape(name)
		if got != want || !AppPath(name).IsValid() {
			t.Errorf("escape(%q) = %q, want %q", name, got, want)
		}
		if back, ok := unescape(got); name != "" && (!ok || back != name) {
			t.Errorf("unescape(%q) = %q, %v", got, back, ok)
		}
	}
	for _, word := range []string{"", "_", "_zz", "a_", "_61", "1", "a_2F", "a-b"} {
		if name, ok := unescape(word); ok {
			t.Errorf("%q names %q, which has another path", word, name)
		}
	}
	for _, path := range []dbus.ObjectPath{"/org/gracevisor1/job/01", "/org/gracevisor1/job/4294967296", "/org/gracevisor1/x", "/x", "/org/gracevisor1/app/demo/x"} {
		if _, ok := objectAt(path); ok {
			t.Errorf("%s is an object", path)
		}
	}
}

func FuzzUnescape(f *testing.F) {
	f.Add("a_2db")
	f.Fuzz(func(t *testing.T, word string) {
		if name, ok := unescape(word); ok && escape(name) != word {
			t.Errorf("%q names %q, whose path is %q", word, name, escape(name))
		}
	})
}

// TestSignaturesAreTrue compares what is described with what is sent.
func TestSignaturesAreTrue(t *testing.T) {
	apps := sampleApps()
	f := &facts{app: &apps[0], settings: &control.Settings{}, job: &control.Job{ID: 1}}
	for _, i := range own {
		for _, p := range i.properties {
			if got := dbus.SignatureOf(p.value(f)).String(); got != p.signature {
				t.Errorf("%s.%s is (%s), described as (%s)", i.name, p.name, got, p.signature)
			}
		}
	}
}

func TestReading(t *testing.T) {
	newBus(t, openPolicy)
	open(t, new(fakeOps))
	c := client(t)
	var list []listedApp
	succeeds(t, c, []any{&list}, root, managerInterface+".ListApps")
	want := []listedApp{
		{"demo-1", "serving", "localhost:8080", 1, 2, "/org/gracevisor1/app/demo_2d1"},
		{"web", "failed", "localhost:8081", 0, 0, "/org/gracevisor1/app/web"},
	}
	if !reflect.DeepEqual(list, want) {
		t.Errorf("apps %+v", list)
	}
	var path dbus.ObjectPath
	succeeds(t, c, []any{&path}, root, managerInterface+".GetApp", "demo-1")
	if path != want[0].Path {
		t.Errorf("path %s", path)
	}
	var all map[string]dbus.Variant
	succeeds(t, c, []any{&all}, path, propertiesName+".GetAll", appInterface)
	for name, want := range map[string]string{
		"Name": `"demo-1"`, "ActiveState": `"active"`, "SubState": `"running"`, "InFlight": "@u 2", "Requests": "@t 1099511627776",
		"StateChangeTimestamp": "@t 1700000000000001", "StateChangeTimestampMonotonic": "@t 5000000",
		"Command": `["/bin/demo", "--password=secret"]`, "Environment": `["KEY=secret"]`,
		"Instances": `@aav [[7, "serving", 4711, "127.0.0.1:10007", "bad ` + "\uFFFD\uFFFD" + ` bytes", 17, 2, 9, "boot"]]`,
	} {
		if got := all[name].String(); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	succeeds(t, c, []any{&all}, root, propertiesName+".GetAll", managerInterface)
	for name, want := range map[string]string{
		"Version": `"1.2.3"`, "Worker": "@av [3, 33]", "NApps": "@u 2", "NFailedApps": "@u 1",
		"ConfigPath": `"/etc/gracevisor/gracevisor.yaml"`,
	} {
		if got := all[name].String(); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	var managed map[dbus.ObjectPath]map[string]map[string]dbus.Variant
	succeeds(t, c, []any{&managed}, root, objectManager+".GetManagedObjects")
	if len(managed) != 2 || managed[path][appInterface]["Name"].Value() != "demo-1" {
		t.Errorf("objects %v", managed)
	}
	if _, ok := managed[path][appInterface]["Command"]; ok {
		t.Error("everybody is told what the apps are run with")
	}
	var id string
	succeeds(t, c, []any{&id}, root, peerName+".GetMachineId")
	if kept, err := os.ReadFile("/etc/machine-id"); err == nil && strings.TrimSpace(string(kept)) != id {
		t.Errorf("machine id %q", id)
	}
	succeeds(t, c, nil, root, peerName+".Ping")
}

// TestIntrospection: each object describes itself, and the tree leads to all.
func TestIntrospection(t *testing.T) {
	newBus(t, openPolicy)
	open(t, new(fakeOps))
	c := client(t)
	var seen []string
	var visit func(path dbus.ObjectPath)
	visit = func(path dbus.ObjectPath) {
		var text string
		succeeds(t, c, []any{&text}, path, introspectName+".Introspect")
		var node struct {
			Interfaces []struct {
				Name string `xml:"name,attr"`
			} `xml:"interface"`
			Nodes []struct {
				Name string `xml:"name,attr"`
			} `xml:"node"`
		}
		if err := xml.Unmarshal([]byte(text), &node); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		for _, i := range node.Interfaces {
			seen = append(seen, string(path)+" "+i.Name)
		}
		for _, n := range node.Nodes {
			visit(dbus.ObjectPath(strings.TrimSuffix(string(path), "/") + "/" + n.Name))
		}
	}
	visit("/")
	for _, want := range []string{
		"/org/gracevisor1 " + managerInterface, "/org/gracevisor1 " + objectManager, "/org/gracevisor1/app/demo_2d1 " + appInterface,
		"/org/gracevisor1/app/web " + propertiesName, "/ " + introspectName,
	} {
		if !strings.Contains(strings.Join(seen, "\n")+"\n", want+"\n") {
			t.Errorf("no %s among\n%s", want, strings.Join(seen, "\n"))
		}
	}
}

// TestOperations: each method begins what its name says, on the right app.
func TestOperations(t *testing.T) {
	newBus(t, openPolicy)
	d := open(t, new(fakeOps))
	c := client(t)
	app := AppPath("demo-1")
	for _, one := range []struct {
		path   dbus.ObjectPath
		method string
		args   []any
		verb   control.Verb
		app    string
	}{
		{root, managerInterface + ".StartApp", []any{"web"}, control.VerbStart, "web"},
		{root, managerInterface + ".RestartApp", []any{"web"}, control.VerbRestart, "web"},
		{root, managerInterface + ".ReloadApp", []any{"web"}, control.VerbReload, "web"},
		{root, managerInterface + ".StopApp", []any{"web"}, control.VerbStop, "web"},
		{root, managerInterface + ".Reload", nil, control.VerbReload, ""},
		{root, managerInterface + ".Update", nil, control.VerbUpdate, ""},
		{root, managerInterface + ".Reexec", nil, control.VerbReexec, ""},
		{app, appInterface + ".Start", nil, control.VerbStart, "demo-1"},
		{app, appInterface + ".Restart", nil, control.VerbRestart, "demo-1"},
		{app, appInterface + ".Reload", nil, control.VerbReload, "demo-1"},
		{app, appInterface + ".Stop", nil, control.VerbStop, "demo-1"},
	} {
		var job dbus.ObjectPath
		succeeds(t, c, []any{&job}, one.path, one.method, one.args...)
		asked := d.asked()
		last := asked[len(asked)-1]
		if last.Verb != one.verb || strings.Join(last.Apps, " ") != one.app || job != jobPath(uint32(len(asked))) {
			t.Errorf("%s: %+v, job %s", one.method, last, job)
		}
		if !strings.HasPrefix(last.Caller, "uid ") || !strings.HasSuffix(last.Caller, ", on D-Bus") {
			t.Errorf("caller %q", last.Caller)
		}
		var properties map[string]dbus.Variant
		succeeds(t, c, []any{&properties}, job, propertiesName+".GetAll", jobInterface)
		if properties["JobType"].Value() != string(one.verb) || properties["App"].Value() != one.app || properties["State"].Value() != "running" {
			t.Errorf("job %v", properties)
		}
	}
	succeeds(t, c, nil, root, managerInterface+".KillApp", "web", int32(0))
	succeeds(t, c, nil, app, appInterface+".Kill", int32(15))
	asked := d.asked()
	if n := len(asked); asked[n-2].Signal != 0 || asked[n-1].Signal != 15 || asked[n-1].Apps[0] != "demo-1" {
		t.Errorf("%+v", asked[n-2:])
	}
	var jobs []listedJob
	succeeds(t, c, []any{&jobs}, root, managerInterface+".ListJobs")
	if len(jobs) != 11 || jobs[1].Path != jobPath(2) || jobs[1].Type != "restart" || jobs[1].App != "web" {
		t.Errorf("jobs %+v", jobs)
	}
	var path dbus.ObjectPath
	succeeds(t, c, []any{&path}, root, managerInterface+".GetJob", uint32(2))
	succeeds(t, c, nil, path, jobInterface+".Cancel")
	succeeds(t, c, nil, root, managerInterface+".CancelJob", uint32(1))
	if len(d.canceled) != 2 || d.canceled[0] != 2 || d.canceled[1] != 1 {
		t.Errorf("canceled %v", d.canceled)
	}
}

// TestHostileArguments are told so, by an error that says what is wrong.
func TestHostileArguments(t *testing.T) {
	newBus(t, openPolicy)
	d := open(t, new(fakeOps))
	c := client(t)
	const standardError = "org.freedesktop.DBus.Error."
	huge := strings.Repeat("x", 1<<20)
	noApp, noJob := errorPrefix+"NoSuchApp", errorPrefix+"NoSuchJob"
	for _, one := range []struct {
		name   string
		path   dbus.ObjectPath
		method string
		args   []any
	}{
		{noApp, root, managerInterface + ".GetApp", []any{"../../etc/passwd"}},
		{noApp, root, managerInterface + ".GetApp", []any{""}},
		{noApp, root, managerInterface + ".GetApp", []any{huge}},
		{noApp, root, managerInterface + ".RestartApp", []any{huge}},
		{noApp, AppPath("a/b"), propertiesName + ".GetAll", []any{appInterface}},
		{noApp, AppPath("none"), introspectName + ".Introspect", nil},
		{noJob, root, managerInterface + ".GetJob", []any{uint32(77)}},
		{noJob, jobPath(77), propertiesName + ".GetAll", []any{jobInterface}},
		{standardError + "InvalidArgs", root, managerInterface + ".GetApp", []any{int32(1)}},
		{standardError + "InvalidArgs", root, managerInterface + ".GetApp", nil},
		{standardError + "InvalidArgs", root, managerInterface + ".GetApp", []any{"a", "b"}},
		{standardError + "InvalidArgs", root, managerInterface + ".Reload", []any{"demo-1"}},
		{standardError + "InvalidArgs", root, managerInterface + ".KillApp", []any{"web", "9"}},
		{standardError + "InvalidArgs", root, managerInterface + ".CancelJob", []any{int64(1)}},
		{errorPrefix + "InvalidArgument", root, managerInterface + ".KillApp", []any{"web", int32(65)}},
		{errorPrefix + "InvalidArgument", root, managerInterface + ".KillApp", []any{"web", int32(-1)}},
		{standardError + "UnknownMethod", root, managerInterface + ".Nonsense", nil},
		{standardError + "UnknownInterface", root, "org.gracevisor1.Nonsense.Do", nil},
		{standardError + "UnknownInterface", root, appInterface + ".Start", nil},
		{standardError + "NoSuchObject", "/org/gracevisor1/app/a_zz", appInterface + ".Start", nil},
		{standardError + "NoSuchObject", "/nonsense", introspectName + ".Introspect", nil},
		{standardError + "UnknownInterface", root, propertiesName + ".GetAll", []any{huge}},
		{standardError + "UnknownProperty", root, propertiesName + ".Get", []any{managerInterface, huge}},
		{standardError + "PropertyReadOnly", root, propertiesName + ".Set", []any{managerInterface, "Version", dbus.MakeVariant("2")}},
	} {
		if said := fails(t, c, one.name, one.path, one.method, one.args...); len(said) > 1000 {
			t.Errorf("%s: the error has %d bytes", one.method, len(said))
		}
	}
	if asked := d.asked(); len(asked) != 0 {
		t.Errorf("begun: %+v", asked)
	}
}

// TestErrorsHaveNames, and tell all the faults of a configuration.
func TestErrorsHaveNames(t *testing.T) {
	newBus(t, openPolicy)
	d := open(t, new(fakeOps))
	c := client(t)
	for code, name := range errorNames {
		d.mu.Lock()
		d.startErr = &control.Error{Code: code, Message: "so it is", Details: []string{"a.yaml:1:2: no", "a.yaml:3:4: no"}}
		d.mu.Unlock()
		said := fails(t, c, name, root, managerInterface+".Reload")
		if said != "so it is\na.yaml:1:2: no\na.yaml:3:4: no" {
			t.Errorf("%s says %q", name, said)
		}
		err := controlError(dbus.Error{Name: name, Body: []any{said}})
		if err.Code != code || err.Message != "so it is" || len(err.Details) != 2 {
			t.Errorf("the client makes %+v of %s", err, name)
		}
	}
}

// TestTooManyCalls are refused, and cost nothing; when there are fewer again all
// is well.
func TestTooManyCalls(t *testing.T) {
	newBus(t, openPolicy)
	hold := make(chan struct{})
	open(t, &fakeOps{hold: hold})
	c := client(t)
	var wait sync.WaitGroup
	const more = 20
	answers := make(chan error, maxSenderCalls+more)
	for range maxSenderCalls + more {
		wait.Go(func() { answers <- c.Object(Name, root).Call(managerInterface+".ListApps", 0).Err })
	}
	for range more {
		err := <-answers
		if e, ok := err.(dbus.Error); !ok || e.Name != errorPrefix+"Busy" {
			t.Fatal(err)
		}
	}
	close(hold)
	for range maxSenderCalls {
		if err := <-answers; err != nil {
			t.Fatal(err)
		}
	}
	wait.Wait()
	succeeds(t, c, []any{new([]listedApp)}, root, managerInterface+".ListApps")
}
