package config

import "time"

// daemonDraft is the top level of gracevisor.yaml as it was read: with the
// defaults of absent keys, but with paths as they were written.
type daemonDraft struct {
	Plan
	settings
	logDir, logFile string
	rotation        Rotation
	journal         bool
	user            string
	include         []include
	apps            []*node
}

// daemonKeys are the keys of the top level of gracevisor.yaml.
var daemonKeys = in(ScopeDaemon, []entry[daemonDraft]{
	option("port_range.from", port, "10000",
		"first of the internal ports that are handed to app instances",
		func(d *daemonDraft) *int { return &d.Ports.From }),
	option("port_range.to", port, "11000",
		"last of the internal ports",
		func(d *daemonDraft) *int { return &d.Ports.To }),
	option("rpc.host", listenHost, "localhost",
		"host of the TCP RPC server (HTTP+JSON and web interface)",
		func(d *daemonDraft) *string { return &d.RPC.Host }),
	option("rpc.port", rpcPort, "9001",
		"port of the TCP RPC server; 0: there is none",
		func(d *daemonDraft) *int { return &d.RPC.Port }),
	option("rpc.allow_plaintext", onOff, "false",
		"must be `true` for an `rpc.host` that is not a loopback address",
		func(d *daemonDraft) *bool { return &d.RPC.AllowPlaintext }),
	option("logger.log_dir", path, "/var/log/gracevisor",
		"directory of the logs; inherited by apps",
		func(d *daemonDraft) *string { return &d.logDir }),
	derived("logger.log_file", filePath, "`gracevisor.log` in `log_dir`",
		"the daemon's own log, relative to the working directory, not to `log_dir`",
		func(d *daemonDraft) *string { return &d.logFile }),
	option("logger.max_log_size", logSize, "500",
		"size at which a log file is rotated; inherited by apps",
		func(d *daemonDraft) *int { return &d.rotation.MaxSize }),
	option("logger.max_logs_kept", keep, "-1",
		"rotated files kept; -1 or 0: all; inherited by apps",
		func(d *daemonDraft) *int { return &d.rotation.MaxKept }),
	option("logger.max_log_age", keep, "-1",
		"days before a log file is rotated and rotated files are removed; -1 or 0: no limit; inherited by apps",
		func(d *daemonDraft) *int { return &d.rotation.MaxAge }),
	option("logger.journal", onOff, "off",
		"whether the output of the apps goes to systemd's journal as well; inherited by apps",
		func(d *daemonDraft) *bool { return &d.journal }),
	derived("user.username", userName, "the daemon's own user",
		"user that runs the apps; inherited by apps",
		func(d *daemonDraft) *string { return &d.user }),
	option("apps_include", includes, "[]",
		"list of files, or folders of `*.yaml` files, one app in each",
		func(d *daemonDraft) *[]include { return &d.include }),
	option("apps", appList, "[]",
		"list of apps",
		func(d *daemonDraft) *[]*node { return &d.apps }),
	derived("parallel_restarts", number(1, 10_000), "number of CPUs",
		"apps that start at the same time; one that takes longer than 30 seconds lets another one begin",
		func(d *daemonDraft) *int { return &d.ParallelRestarts }),
	option("shutdown_timeout", duration, "60",
		"bound on draining and stopping everything when the daemon stops",
		func(d *daemonDraft) *time.Duration { return &d.ShutdownTimeout }),
	option("ready_timeout", duration, "30",
		"how long apps that are slow to start hold up the news that the daemon is ready (`Type=notify` of systemd)",
		func(d *daemonDraft) *time.Duration { return &d.ReadyTimeout }),
	option("max_connections", limit, "none",
		"client connections of all apps together; more wait in the backlog",
		func(d *daemonDraft) *int { return &d.MaxConnections }),
	option("max_workers", number(2, 100), "4",
		"proxy workers that may live at once; when a new build needs one more, the oldest that drains is ended",
		func(d *daemonDraft) *int { return &d.MaxWorkers }),
	option("worker_drain_timeout", bound, "none",
		"longest time that a replaced proxy worker may finish its connections",
		func(d *daemonDraft) *time.Duration { return &d.WorkerDrainTimeout }),
})
