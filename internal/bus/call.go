package bus

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
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
	// rootCalls of maxCalls are for root, whatever others do.
	rootCalls = 64
	// maxAsking calls may wait at once for what a user says to polkit, which
	// can take minutes, and maxUserAsking of one user.
	maxAsking     = 512
	maxUserAsking = 100
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
	// msg is what was sent, flags its flags.
	msg   *dbus.Message
	flags dbus.Flags
	args  []any
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
	return []any{&call{session: m.session, object: m.object, method: m.method, sender: sender, msg: msg, flags: msg.Flags, args: args}}, nil
}

// Call implements dbus.Method. It sends the answer itself, so that the call counts
// until that is done.
func (m boundMethod) Call(args ...any) ([]any, error) {
	c := args[0].(*call)
	c.extend()
	defer func() { c.cancel() }()
	leave, ok := c.enter()
	if !ok {
		return nil, busError(errBusy)
	}
	defer leave()
	c.reply(c.serve())
	return nil, nil
}

// errBusy refuses a call.
var errBusy = &control.Error{Code: control.CodeBusy, Message: "too many calls at once; wait for some of their answers"}

// enter counts the call in, unless there are too many. The last places are for
// root; who calls is only asked when no others are left.
func (c *call) enter() (leave func(), ok bool) {
	load := &c.service.load
	if leave, ok = load.enter(c.sender, maxCalls-rootCalls, maxSenderCalls); ok {
		return leave, true
	}
	if who, err := c.who(); err != nil || who.uid != 0 {
		return nil, false
	}
	return load.enter(c.sender, maxCalls, maxSenderCalls)
}

// reply sends the answer, or the error, if the caller wants to hear of it.
func (c *call) reply(answer []any, err error) {
	c.msg.Flags |= dbus.FlagNoReplyExpected // keeps the library from answering, too
	if c.flags&dbus.FlagNoReplyExpected != 0 {
		return
	}
	reply := &dbus.Message{Type: dbus.TypeMethodReply, Body: answer, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldDestination: dbus.MakeVariant(c.sender),
		dbus.FieldReplySerial: dbus.MakeVariant(c.msg.Serial()),
	}}
	if err != nil {
		e := busError(err)
		reply.Type, reply.Body = dbus.TypeError, e.Body
		reply.Headers[dbus.FieldErrorName] = dbus.MakeVariant(e.Name)
	}
	if len(reply.Body) > 0 {
		reply.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(reply.Body...))
	}
	c.conn.Send(reply, nil)
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
