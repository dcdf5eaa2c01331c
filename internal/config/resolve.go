package config

import (
	"path/filepath"
	"strings"
)

// resolve makes the plan of drafts without faults: absolute paths, and what is
// derived from other keys. cpus is the number of CPUs.
func resolve(d *daemonDraft, apps []*appDraft, wd string, cpus int) *Plan {
	plan := d.Plan
	plan.Log = LogFile{d.logPath(wd), d.rotation}
	if plan.ParallelRestarts == 0 {
		plan.ParallelRestarts = cpus
	}
	plan.Apps = make([]*App, 0, len(apps))
	for _, a := range apps {
		plan.Apps = append(plan.Apps, a.resolve(wd))
	}
	return &plan
}

// logPath is where the daemon's own log goes.
func (d *daemonDraft) logPath(wd string) string {
	if d.logFile != "" {
		return absolute(wd, d.logFile)
	}
	return filepath.Join(absolute(wd, d.logDir), "gracevisor.log")
}

func (a *appDraft) resolve(wd string) *App {
	app := a.App
	// A relative command is the daemon's to find; one without a slash is
	// looked for in PATH when the app is started.
	app.Command = append([]string{}, a.Command...)
	if strings.Contains(app.Command[0], "/") {
		app.Command[0] = absolute(wd, app.Command[0])
	}
	app.Directory = absolute(wd, a.Directory)
	if a.ExternalSocket != "" {
		app.External, app.ExternalSocket = Address{}, absolute(wd, a.ExternalSocket)
	}
	app.Stdout = a.log(wd, "app_"+a.Name+".out", a.stdoutFile, a.logFile)
	app.Stderr = a.log(wd, "app_"+a.Name+".err", a.stderrFile, a.logFile)
	app.Traffic.AccessLogFile = a.log(wd, "access_"+a.Name+".log", a.accessLogFile)
	return &app
}

// log returns the first file that is named, or the one called name in log_dir.
func (a *appDraft) log(wd, name string, files ...string) LogFile {
	for _, file := range files {
		if file != "" {
			return LogFile{absolute(wd, file), a.rotation}
		}
	}
	return LogFile{filepath.Join(absolute(wd, a.logDir), name), a.rotation}
}
