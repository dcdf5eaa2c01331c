package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"gracevisor/internal/control"
)

// The polkit actions.
const (
	manageApps = Name + ".manage-apps"
	reload     = Name + ".reload"
	reexec     = Name + ".reexec"
)

// actions are those that the verbs need.
var actions = map[control.Verb]string{
	control.VerbStart:   manageApps,
	control.VerbRestart: manageApps,
	control.VerbStop:    manageApps,
	control.VerbKill:    manageApps,
	control.VerbReload:  reload,
	control.VerbUpdate:  reload,
	control.VerbReexec:  reexec,
}

// right is what a caller needs: rules of polkit see the action with the details
// app and verb.
type right struct{ action, app, verb string }

// reading is the right to see what an app is run with.
func (c *call) reading() right { return right{manageApps, c.object.app, "read"} }

const (
	polkitName      = "org.freedesktop.PolicyKit1"
	polkitPath      = dbus.ObjectPath("/org/freedesktop/PolicyKit1/Authority")
	checkMethod     = polkitName + ".Authority.CheckAuthorization"
	mayAskTheUser   = uint32(1)
	polkitTimeout   = 20 * time.Second
	readTimeout     = 5 * time.Second
	interactiveTime = 2 * time.Minute
)

// caller is who has made a call.
type caller struct{ uid, pid uint32 }

func (c caller) String() string { return fmt.Sprintf("uid %d, pid %d, on D-Bus", c.uid, c.pid) }

// who asks the bus for the caller.
func (c *call) who() (caller, error) {
	ctx, cancel := context.WithTimeout(c.ctx, polkitTimeout)
	defer cancel()
	var found map[string]dbus.Variant
	err := c.conn.Object(busName, busPath).CallWithContext(ctx, busName+".GetConnectionCredentials", 0, c.sender).Store(&found)
	if err != nil {
		return caller{}, fmt.Errorf("find out who calls: %w", err)
	}
	uid, ok := found["UnixUserID"].Value().(uint32)
	if !ok {
		return caller{}, &control.Error{Code: control.CodeNotPermitted, Message: "the bus does not know your user"}
	}
	pid, _ := found["ProcessID"].Value().(uint32) // 0: it is of another pid namespace
	return caller{uid, pid}, nil
}

// permit lets the caller go on if it has the right: root always, others if
// polkit says so.
func (c *call) permit(r right) (caller, error) {
	who, err := c.who()
	if err != nil || who.uid == 0 {
		return who, err
	}
	// To ask the user takes its time, which the daemon must not make shorter.
	flags, patience := uint32(0), polkitTimeout
	if r.verb == "read" { // what else there is to read must not wait for long
		patience = readTimeout
	}
	if c.flags&dbus.FlagAllowInteractiveAuthorization != 0 && r.verb != "read" {
		flags, patience = mayAskTheUser, interactiveTime
		leave, ok := c.service.asking.enter(who.uid, maxAsking, maxUserAsking)
		if !ok {
			return who, errBusy
		}
		defer leave()
	}
	ctx, cancel := context.WithTimeout(c.life, patience)
	defer cancel()
	permitted, why := c.askPolkit(ctx, r, flags)
	if !permitted {
		message := fmt.Sprintf("uid %d may not %s", who.uid, strings.TrimSpace(r.verb+" "+short(r.app)))
		if r.app == "" && r.verb != "reexec" {
			message += " all apps"
		}
		message += ": " + why
		if r.verb != "read" { // that is asked with every look at an app
			c.service.noteRefusal(who, message)
		}
		return who, &control.Error{Code: control.CodeNotPermitted, Message: message}
	}
	c.extend() // the asking does not count
	return who, nil
}

// mayRead says whether the caller may see what the app is run with. Nobody is
// asked for a password to find that out.
func (c *call) mayRead() bool {
	_, err := c.permit(c.reading())
	return err == nil
}

// verdict is the structure with which polkit answers.
type verdict struct {
	Authorized, Challenge bool
	Details               map[string]string
}

func (c *call) askPolkit(ctx context.Context, r right, flags uint32) (permitted bool, why string) {
	subject := struct {
		Kind    string
		Details map[string]dbus.Variant
	}{"system-bus-name", map[string]dbus.Variant{"name": dbus.MakeVariant(c.sender)}}
	details := map[string]string{"app": text(short(r.app)), "verb": r.verb}
	var v verdict
	err := c.conn.Object(polkitName, polkitPath).CallWithContext(ctx, checkMethod, 0, subject, r.action, details, flags, "").Store(&v)
	switch {
	case isMissing(err):
		return false, "only root may, because there is no polkit"
	case errors.Is(err, context.DeadlineExceeded):
		return false, "polkit does not answer"
	case err != nil:
		return false, fmt.Sprintf("polkit can not be asked: %v", err)
	case v.Authorized:
		return true, ""
	case v.Challenge:
		return false, fmt.Sprintf("polkit wants a password for %s, and nobody could be asked for it", r.action)
	}
	return false, fmt.Sprintf("polkit does not permit %s", r.action)
}

// isMissing says whether an error means that there is no polkit.
func isMissing(err error) bool {
	e, ok := errors.AsType[dbus.Error](err)
	return ok && (e.Name == "org.freedesktop.DBus.Error.ServiceUnknown" || e.Name == "org.freedesktop.DBus.Error.NameHasNoOwner" ||
		strings.HasPrefix(e.Name, "org.freedesktop.DBus.Error.Spawn.") || strings.HasPrefix(e.Name, "org.freedesktop.systemd1."))
}

// short bounds what is told back of outside data.
func short(s string) string {
	if len(s) > maxName {
		return s[:maxName] + "…"
	}
	return s
}
