package bus

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"gracevisor/internal/control"
)

const (
	// maxCalls are served at once, maxSenderCalls of them of one client: fewer
	// than the 128 after which a bus itself refuses more, so that the error is
	// one that says what to do.
	maxCalls       = 1024
	maxSenderCalls = 100
	// callTimeout bounds what the daemon takes to answer.
	callTimeout = 20 * time.Second
)

// call is a method call. It belongs to the goroutine that the library serves it
// in.
type call struct {
	*session
	object object
	method *method
	sender string
	flags  dbus.Flags
	args   []any
	// ctx bounds the answer.
	ctx    context.Context
	cancel context.CancelFunc
}

// extend gives the answer the whole time again.
func (c *call) extend() {
	if c.cancel != nil {
		c.cancel()
	}
	c.ctx, c.cancel = context.WithTimeout(c.life, callTimeout)
}

// The library looks up the object, the interface and the method of a call; what
// follows leads it through members.go.

// LookupObject implements dbus.Handler.
func (s *session) LookupObject(path dbus.ObjectPath) (dbus.ServerObject, bool) {
	o, ok := objectAt(path)
	return boundObject{s, o}, ok && s.ready.Load()
}

type boundObject struct {
	session *session
	object  object
}

// LookupInterface implements dbus.ServerObject.
func (b boundObject) LookupInterface(name string) (dbus.Interface, bool) {
	var found []*iface
	for _, i := range b.object.interfaces() {
		if i.name == name || name == "" || name == machineInterface && i.name == peerName {
			found = append(found, i)
		}
	}
	return boundInterfaces{b, found}, len(found) > 0
}

type boundInterfaces struct {
	boundObject
	ifaces []*iface
}

// LookupMethod implements dbus.Interface.
func (b boundInterfaces) LookupMethod(name string) (dbus.Method, bool) {
	for _, i := range b.ifaces {
		if m := i.method(name); m != nil {
			return boundMethod{b.boundObject, m}, true
		}
	}
	return nil, false
}

// boundMethod is a method of an object. What the library could ask of its
// arguments it does not, because they are decoded here.
type boundMethod struct {
	boundObject
	method *method
}

func (boundMethod) NumArguments() int     { return 1 }
func (boundMethod) NumReturns() int       { return 0 }
func (boundMethod) ArgumentValue(int) any { return nil }
func (boundMethod) ReturnValue(int) any   { return nil }

// DecodeArguments implements dbus.ArgumentDecoder: it checks the types.
func (m boundMethod) DecodeArguments(_ *dbus.Conn, sender string, msg *dbus.Message, args []any) ([]any, error) {
	want := signatureOf(m.method.in)
	got, _ := msg.Headers[dbus.FieldSignature].Value().(dbus.Signature)
	if got.String() != want {
		return nil, dbus.Error{Name: "org.freedesktop.DBus.Error.InvalidArgs", Body: []any{
			fmt.Sprintf("%s takes arguments of the types (%s), not (%s)", m.method.name, want, short(got.String()))}}
	}
	return []any{&call{session: m.session, object: m.object, method: m.method, sender: sender, flags: msg.Flags, args: args}}, nil
}

// Call implements dbus.Method.
func (m boundMethod) Call(args ...any) ([]any, error) {
	c := args[0].(*call)
	leave, ok := m.session.service.load.enter(c.sender)
	if !ok {
		return nil, busError(&control.Error{Code: control.CodeBusy, Message: "too many calls at once; wait for some of their answers"})
	}
	defer leave()
	c.extend()
	defer func() { c.cancel() }()
	answer, err := c.serve()
	if err != nil {
		return nil, busError(err)
	}
	return answer, nil
}

// serve serves the call. Whatever a caller finds to send must not end the
// daemon.
func (c *call) serve() (answer []any, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			c.service.log.Error("cannot serve call on D-Bus", "method", c.method.name, "fault", fault, "stack", string(debug.Stack()))
			err = errors.New("the daemon has made a mistake, which is in its log")
		}
	}()
	return c.method.serve(c)
}

// load counts the calls that are being served.
type load struct {
	mu       sync.Mutex
	total    int
	bySender map[string]int
}

// enter counts a call in, unless there are too many.
func (l *load) enter(sender string) (leave func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= maxCalls || l.bySender[sender] >= maxSenderCalls {
		return nil, false
	}
	l.total++
	l.bySender[sender]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.total--
		if l.bySender[sender]--; l.bySender[sender] == 0 {
			delete(l.bySender, sender)
		}
	}, true
}

// machineInterface is where calls of GetMachineId are sent, which the library
// would answer with the id of the bus.
const machineInterface = Name + ".Machine"

func redirectMachineID(msg *dbus.Message) {
	if msg.Type != dbus.TypeMethodCall || msg.Headers[dbus.FieldInterface].Value() != peerName {
		return
	}
	if msg.Headers[dbus.FieldMember].Value() == "GetMachineId" {
		msg.Headers[dbus.FieldInterface] = dbus.MakeVariant(machineInterface)
	}
}
