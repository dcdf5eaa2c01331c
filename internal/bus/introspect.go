package bus

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

const doctype = `<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
 "https://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
`

// IntrospectionFiles are the descriptions of our interfaces, by file name, as
// programs that generate code want them.
func IntrospectionFiles() map[string]string {
	files := make(map[string]string)
	for _, i := range own {
		files[i.name+".xml"] = doctype + "<node>\n" + i.xml() + "</node>\n"
	}
	return files
}

// introspect describes an object, with the names of those below it.
func (c *call) introspect() ([]any, error) {
	below, err := c.below()
	if err != nil {
		return nil, err
	}
	var xml strings.Builder
	xml.WriteString(doctype + "<node>\n")
	for _, i := range c.object.interfaces() {
		xml.WriteString(i.xml())
	}
	for _, name := range below {
		fmt.Fprintf(&xml, " <node name=%q/>\n", name)
	}
	xml.WriteString("</node>\n")
	return []any{xml.String()}, nil
}

// below are the last words of the paths of the objects below that of the call.
func (c *call) below() (names []string, err error) {
	switch c.object.path {
	case "/":
		return []string{"org"}, nil
	case "/org":
		return []string{"gracevisor1"}, nil
	case root:
		return []string{"app", "job"}, nil
	case appFolder:
		status, err := c.service.ops.Overview(c.ctx, nil)
		if err != nil {
			return nil, err
		}
		for _, a := range status.Apps {
			names = append(names, escape(a.Name))
		}
	case jobFolder:
		jobs, err := c.service.ops.Jobs(c.ctx)
		if err != nil {
			return nil, err
		}
		for _, j := range jobs {
			names = append(names, strconv.FormatUint(uint64(j.ID), 10))
		}
	default:
		_, err = c.facts(false)
	}
	slices.Sort(names)
	return names, err
}

func (i *iface) xml() string {
	var xml strings.Builder
	fmt.Fprintf(&xml, " <interface name=%q>\n", i.name)
	for _, m := range i.methods {
		fmt.Fprintf(&xml, "  <method name=%q>\n", m.name)
		writeArguments(&xml, m.in, ` direction="in"`)
		writeArguments(&xml, m.out, ` direction="out"`)
		xml.WriteString("  </method>\n")
	}
	for _, s := range i.signals {
		fmt.Fprintf(&xml, "  <signal name=%q>\n", s.name)
		writeArguments(&xml, s.args, "")
		xml.WriteString("  </signal>\n")
	}
	for _, p := range i.properties {
		fmt.Fprintf(&xml, "  <property name=%q type=%q access=\"read\">\n", p.name, p.signature)
		if p.emits != announced { // which is what it is by itself
			fmt.Fprintf(&xml, "   <annotation name=\"org.freedesktop.DBus.Property.EmitsChangedSignal\" value=%q/>\n", string(p.emits))
		}
		xml.WriteString("  </property>\n")
	}
	xml.WriteString(" </interface>\n")
	return xml.String()
}

func writeArguments(xml *strings.Builder, args []argument, direction string) {
	for _, a := range args {
		fmt.Fprintf(xml, "   <arg name=%q type=%q%s/>\n", a.name, a.signature, direction)
	}
}

// machineID serves GetMachineId.
func (c *call) machineID() ([]any, error) {
	for _, file := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		if id, err := os.ReadFile(file); err == nil && len(strings.TrimSpace(string(id))) == 32 {
			return []any{strings.TrimSpace(string(id))}, nil
		}
	}
	return nil, fmt.Errorf("the machine has no id")
}
