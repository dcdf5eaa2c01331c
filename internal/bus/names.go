package bus

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"
)

// Name is the well-known name of the daemon.
const Name = "org.gracevisor1"

// The paths and interfaces.
const (
	root      = dbus.ObjectPath("/org/gracevisor1")
	appFolder = root + "/app"
	jobFolder = root + "/job"

	managerInterface = Name + ".Manager"
	appInterface     = Name + ".App"
	jobInterface     = Name + ".Job"

	busName          = "org.freedesktop.DBus"
	busPath          = dbus.ObjectPath("/org/freedesktop/DBus")
	propertiesName   = "org.freedesktop.DBus.Properties"
	introspectName   = "org.freedesktop.DBus.Introspectable"
	peerName         = "org.freedesktop.DBus.Peer"
	objectManager    = "org.freedesktop.DBus.ObjectManager"
	propertiesChange = propertiesName + ".PropertiesChanged"
)

// AppPath is the path of an app: what is no ASCII letter or digit becomes its
// number in hexadecimal after a "_", as in systemd's paths.
func AppPath(name string) dbus.ObjectPath { return appFolder + "/" + dbus.ObjectPath(escape(name)) }

func escape(name string) string {
	if name == "" {
		return "_"
	}
	var escaped strings.Builder
	for i := range len(name) {
		c := name[i]
		digit := c >= '0' && c <= '9'
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || digit && i > 0 {
			escaped.WriteByte(c)
		} else {
			fmt.Fprintf(&escaped, "_%02x", c)
		}
	}
	return escaped.String()
}

// unescape reverses escape. What escape does not write it refuses, so that an
// app has one path.
func unescape(word string) (name string, ok bool) {
	var plain []byte
	for i := 0; i < len(word); i++ {
		c := word[i]
		if c == '_' && len(word) >= i+3 {
			n, err := strconv.ParseUint(word[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			c, i = byte(n), i+2
		}
		plain = append(plain, c)
	}
	name = string(plain)
	return name, word != "_" && escape(name) == word
}

// jobPath is the path of a job.
func jobPath(id uint32) dbus.ObjectPath {
	return jobFolder + "/" + dbus.ObjectPath(strconv.FormatUint(uint64(id), 10))
}

// kind tells objects apart.
type kind int

const (
	folder kind = iota // has nothing but others below it
	manager
	appObject
	jobObject
)

// object is what a path names. Whether the app or job exists is another
// question.
type object struct {
	path dbus.ObjectPath
	kind kind
	app  string
	job  uint32
}

func objectAt(path dbus.ObjectPath) (object, bool) {
	o := object{path: path}
	switch path {
	case "/", "/org", appFolder, jobFolder:
		return o, true
	case root:
		o.kind = manager
		return o, true
	}
	if word, ok := strings.CutPrefix(string(path), string(appFolder)+"/"); ok {
		o.kind = appObject
		o.app, ok = unescape(word)
		return o, ok
	}
	word, _ := strings.CutPrefix(string(path), string(jobFolder)+"/")
	id, err := strconv.ParseUint(word, 10, 32)
	o.kind, o.job = jobObject, uint32(id)
	return o, err == nil && jobPath(o.job) == path
}
