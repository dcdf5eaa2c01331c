package bus

import (
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
)

// fakePolkit answers in the place of polkit.
type fakePolkit struct {
	mu      sync.Mutex
	permits func(action string, details map[string]string, flags uint32) verdict
	asked   []string
}

type polkitSubject struct {
	Kind    string
	Details map[string]dbus.Variant
}

// CheckAuthorization is polkit's method.
func (f *fakePolkit) CheckAuthorization(subject polkitSubject, action string, details map[string]string, flags uint32, _ string) (verdict, *dbus.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name, _ := subject.Details["name"].Value().(string)
	f.asked = append(f.asked, subject.Kind+" "+name+" "+action)
	return f.permits(action, details, flags), nil
}

func newPolkit(t *testing.T) *fakePolkit {
	t.Helper()
	f := new(fakePolkit)
	f.decide(func(string, map[string]string, uint32) verdict { return verdict{Details: map[string]string{}} })
	conn := client(t)
	if err := conn.Export(f, polkitPath, polkitName+".Authority"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName(polkitName, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fakePolkit) decide(permits func(action string, details map[string]string, flags uint32) verdict) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.permits = permits
}

func yes() verdict { return verdict{Authorized: true, Details: map[string]string{}} }

// changing are the methods that change something, with the action they need.
var changing = map[string][]any{
	managerInterface + ".StartApp": {"web"}, managerInterface + ".RestartApp": {"web"}, managerInterface + ".ReloadApp": {"web"},
	managerInterface + ".StopApp": {"web"}, managerInterface + ".KillApp": {"web", int32(9)}, managerInterface + ".Reload": {},
	managerInterface + ".Update": {}, managerInterface + ".Reexec": {}, managerInterface + ".CancelJob": {uint32(1)},
}

// TestWithoutPolkitOnlyRoot may change anything; everybody may read.
func TestWithoutPolkitOnlyRoot(t *testing.T) {
	newBus(t, openPolicy)
	d := open(t, new(fakeOps))
	c := stranger(t)
	for method, args := range changing {
		fails(t, c, errorPrefix+"NotPermitted", root, method, args...)
	}
	for _, method := range []string{"Start", "Restart", "Reload", "Stop"} {
		fails(t, c, errorPrefix+"NotPermitted", AppPath("web"), appInterface+"."+method)
	}
	if asked := d.asked(); len(asked) != 0 || len(d.canceled) != 0 {
		t.Errorf("begun: %+v", asked)
	}
	if said := d.log.String(); strings.Count(said, "control request refused") != 1 || !strings.Contains(said, "uid 65534, pid ") {
		t.Errorf("log:\n%s", said)
	}
	succeeds(t, c, []any{new([]listedApp)}, root, managerInterface+".ListApps")
	succeeds(t, c, nil, root, managerInterface+".Subscribe")
}

// TestPolkitDecides, and is told what for.
func TestPolkitDecides(t *testing.T) {
	newBus(t, openPolicy)
	polkit := newPolkit(t)
	d := open(t, new(fakeOps))
	c := stranger(t)
	fails(t, c, errorPrefix+"NotPermitted", root, managerInterface+".RestartApp", "web")
	// One app, and one verb.
	polkit.decide(func(action string, details map[string]string, flags uint32) verdict {
		return verdict{Authorized: action == reload && details["app"] == "web" && details["verb"] == "reload" && flags == 0, Details: details}
	})
	succeeds(t, c, []any{new(dbus.ObjectPath)}, root, managerInterface+".ReloadApp", "web")
	succeeds(t, c, []any{new(dbus.ObjectPath)}, AppPath("web"), appInterface+".Reload")
	fails(t, c, errorPrefix+"NotPermitted", root, managerInterface+".ReloadApp", "demo-1")
	fails(t, c, errorPrefix+"NotPermitted", root, managerInterface+".Reload")
	fails(t, c, errorPrefix+"NotPermitted", root, managerInterface+".RestartApp", "web")
	if n := len(d.asked()); n != 2 {
		t.Errorf("%d operations were begun", n)
	}
	for method, action := range map[string]string{
		"StartApp": manageApps, "RestartApp": manageApps, "StopApp": manageApps, "KillApp": manageApps,
		"ReloadApp": reload, "Reload": reload, "Update": reload, "Reexec": reexec,
	} {
		polkit.decide(func(asked string, _ map[string]string, _ uint32) verdict {
			return verdict{Authorized: asked == action, Details: map[string]string{}}
		})
		method = managerInterface + "." + method
		if err := c.Object(Name, root).Call(method, 0, changing[method]...).Err; err != nil {
			t.Errorf("%s with %s: %v", method, action, err)
		}
	}
	polkit.mu.Lock()
	defer polkit.mu.Unlock()
	if want := "system-bus-name " + c.Names()[0] + " " + reload; polkit.asked[1] != want {
		t.Errorf("polkit was asked %q, want %q", polkit.asked[1], want)
	}
}

// TestInteraction: polkit may ask the user if the caller lets it.
func TestInteraction(t *testing.T) {
	newBus(t, openPolicy)
	polkit := newPolkit(t)
	open(t, new(fakeOps))
	c := stranger(t)
	polkit.decide(func(_ string, _ map[string]string, flags uint32) verdict {
		return verdict{Authorized: flags == mayAskTheUser, Challenge: true, Details: map[string]string{}}
	})
	if said := fails(t, c, errorPrefix+"NotPermitted", root, managerInterface+".Reload"); !strings.Contains(said, "password") {
		t.Errorf("it says %q", said)
	}
	willing := stranger(t, dbus.WithOutgoingInterceptor(allowInteraction))
	succeeds(t, willing, []any{new(dbus.ObjectPath)}, root, managerInterface+".Reload")
}

// TestSecretsAreForManagers: what an app is run with is seen by those who may
// manage it.
func TestSecretsAreForManagers(t *testing.T) {
	newBus(t, openPolicy)
	polkit := newPolkit(t)
	open(t, new(fakeOps))
	c := stranger(t)
	see := func() (found []string) {
		t.Helper()
		var all map[string]dbus.Variant
		succeeds(t, c, []any{&all}, AppPath("web"), propertiesName+".GetAll", appInterface)
		for name, value := range all {
			if strings.Contains(value.String(), "secret") {
				found = append(found, name)
			}
		}
		if _, ok := all["ActiveState"]; !ok {
			t.Error("what is not secret is not seen either")
		}
		return found
	}
	if found := see(); len(found) != 0 {
		t.Errorf("seen by everybody: %q", found)
	}
	for _, name := range []string{"Command", "Environment"} {
		fails(t, c, errorPrefix+"NotPermitted", AppPath("web"), propertiesName+".Get", appInterface, name)
	}
	polkit.decide(func(action string, details map[string]string, _ uint32) verdict {
		return verdict{Authorized: action == manageApps && details["app"] == "web", Details: map[string]string{}}
	})
	if found := see(); len(found) != 2 {
		t.Errorf("seen by a manager: %q", found)
	}
	polkit.decide(func(string, map[string]string, uint32) verdict { return yes() })
	succeeds(t, c, []any{new(dbus.Variant)}, AppPath("web"), propertiesName+".Get", appInterface, "Command")
}
