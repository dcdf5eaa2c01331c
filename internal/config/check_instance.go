package config

import "strings"

// notification finds what cannot work between an app and the socket that it
// tells its state to.
func (c *checker) notification(a *appDraft) {
	if a.faulty["ready"] {
		return
	}
	if a.Ready != ReadyNotify {
		if a.Watchdog != 0 {
			c.found.add(a.where("watchdog"), "watchdog: needs ready: notify, which gives the app a socket for its signs of life")
		}
		return
	}
	n := a.values["environment"]
	if n == nil || a.faulty["environment"] {
		return
	}
	for _, item := range n.items {
		switch name, _, _ := strings.Cut(item.text, "="); name {
		case "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID":
			c.found.add(item.at, "environment: %s is set for the app by ready: notify", name)
		}
	}
}

// memory makes sure that an app is slowed down before it is killed.
func (c *checker) memory(a *appDraft) {
	high, most := a.values["limits.memory_high"], a.values["limits.memory_max"]
	if a.Limits.MemoryMax != 0 && a.Limits.MemoryHigh > a.Limits.MemoryMax {
		c.found.add(high.at, "limits.memory_high: %s is above limits.memory_max, %s", high.describe(), most.describe())
	}
}
