package config

import (
	"math"
	"slices"
	"time"
)

// Bounds of the memory that one request or answer may take for its header.
const (
	minHeaderBytes = 1 << 10
	maxHeaderBytes = 16 << 20
	maxHeaders     = 10_000
)

// appDraft is an app as it was read: with the defaults of absent keys and what
// it inherits, but with paths as they were written.
type appDraft struct {
	App
	settings
	logDir, logFile        string
	stdoutFile, stderrFile string
	accessLogFile          string
	rotation               Rotation
}

// newAppDraft returns a draft with all that an app inherits.
func newAppDraft(d *daemonDraft) *appDraft {
	draft := &appDraft{logDir: d.logDir, rotation: d.rotation}
	draft.User = d.user
	draft.Journal = d.journal
	return draft
}

// appKeys are the keys of an app.
var appKeys = in(ScopeApp, slices.Concat(appBasics, appLife, appLimits, appLogs, appTraffic))

// appBasics is what an app is and where it is reached.
var appBasics = []entry[appDraft]{
	required("name", appName,
		"unique name: letters, digits, `-`, `_`, `.`",
		func(a *appDraft) *string { return &a.Name }),
	required("command", command,
		"split as a shell would split words (quotes, backslashes), or a list of words; no shell is run. "+
			"It or `environment` contains `{port}`, or `{socket}`: the path of a Unix socket to listen on instead",
		func(a *appDraft) *[]string { return &a.Command }),
	option("environment", environment, "[]",
		"variables of the app; `{port}` and `{socket}` are replaced here too",
		func(a *appDraft) *[]string { return &a.Environment }),
	derived("directory", path, "the daemon's",
		"working directory of the app",
		func(a *appDraft) *string { return &a.Directory }),
	option("internal_host", internalHost, "localhost",
		"host on which an instance is reached; not used with `{socket}`",
		func(a *appDraft) *string { return &a.InternalHost }),
	option("external_host", listenHost, "localhost",
		"host on which the proxy listens for the app; a name listens on each of its addresses",
		func(a *appDraft) *string { return &a.External.Host }),
	option("external_port", port, "8080",
		"port on which the proxy listens for the app",
		func(a *appDraft) *int { return &a.External.Port }),
	derived("external_socket", socketPath, "none",
		"path of a Unix socket on which the proxy listens for the app, in place of `external_host` and `external_port`",
		func(a *appDraft) *string { return &a.ExternalSocket }),
	option("proxy", proxyMode, "http",
		"what the proxy understands of the traffic",
		func(a *appDraft) *ProxyMode { return &a.Proxy }),
	derived("user.username", userName, "the global one",
		"user that runs the app (uid, primary and supplementary groups, `HOME`, `USER`, `LOGNAME`)",
		func(a *appDraft) *string { return &a.User }),
	option("umask", umask, "022",
		"file mode creation mask of the app",
		func(a *appDraft) *int { return &a.Umask }),
}

// appLife is when an app is started, checked and stopped.
var appLife = []entry[appDraft]{
	option("ready", readiness, "probe",
		"when an instance is ready: `probe`, when `healthcheck` answers 200, or without one when the instance accepts "+
			"a connection; `notify`, when it sends `READY=1` to the socket in its `NOTIFY_SOCKET` (sd_notify(3))",
		func(a *appDraft) *Readiness { return &a.Ready }),
	option("watchdog", bound, "none",
		"longest silence between two `WATCHDOG=1` (sd_notify(3)) before the app is restarted, the replacement first; "+
			"needs `ready: notify`",
		func(a *appDraft) *time.Duration { return &a.Watchdog }),
	derived("healthcheck", healthPath, "none",
		"HTTP path that answers 200 as long as the app works; otherwise the app is restarted, the replacement first",
		func(a *appDraft) *string { return &a.Healthcheck.Path }),
	option("healthcheck_interval", duration, "1",
		"time between two checks of a running instance",
		func(a *appDraft) *time.Duration { return &a.Healthcheck.Interval }),
	option("healthcheck_timeout", duration, "1",
		"time that one check may take",
		func(a *appDraft) *time.Duration { return &a.Healthcheck.Timeout }),
	option("healthcheck_retries", number(1, 1000), "3",
		"failed checks in a row before the app is restarted",
		func(a *appDraft) *int { return &a.Healthcheck.Retries }),
	option("stop_signal", stopSignal, "TERM",
		"signal that asks an instance to exit, with or without `SIG`",
		func(a *appDraft) *int { return &a.StopSignal }),
	option("max_retries", number(1, math.MaxInt32), "5",
		"tries to start the app before it is declared failed",
		func(a *appDraft) *int { return &a.MaxRetries }),
	option("failed_retry_interval", duration, "60",
		"how often an app that failed and serves nothing is tried again",
		func(a *appDraft) *time.Duration { return &a.FailedRetryInterval }),
	option("start_timeout", bound, "none",
		"time to become ready before an instance is killed and tried again",
		func(a *appDraft) *time.Duration { return &a.StartTimeout }),
	option("stop_timeout", bound, "none",
		"time to exit after the stop signal before an instance is killed",
		func(a *appDraft) *time.Duration { return &a.StopTimeout }),
	option("drain_timeout", bound, "none",
		"longest time that an old instance may finish its requests",
		func(a *appDraft) *time.Duration { return &a.DrainTimeout }),
	option("max_draining", number(1, 1000), "4",
		"old instances that may drain at once; beyond it the oldest is stopped",
		func(a *appDraft) *int { return &a.MaxDraining }),
}

// appLogs is where the output of an app goes.
var appLogs = []entry[appDraft]{
	derived("logger.log_dir", path, "inherited",
		"directory of the app's logs",
		func(a *appDraft) *string { return &a.logDir }),
	derived("logger.log_file", filePath, "none",
		"one file for stdout and stderr, relative to the working directory, not to `log_dir`",
		func(a *appDraft) *string { return &a.logFile }),
	derived("logger.stdout_log_file", filePath, "`app_NAME.out` in `log_dir`",
		"file for stdout; overrides `log_file`",
		func(a *appDraft) *string { return &a.stdoutFile }),
	derived("logger.stderr_log_file", filePath, "`app_NAME.err` in `log_dir`",
		"file for stderr; overrides `log_file`",
		func(a *appDraft) *string { return &a.stderrFile }),
	derived("logger.max_log_size", logSize, "inherited",
		"size at which a log file is rotated",
		func(a *appDraft) *int { return &a.rotation.MaxSize }),
	derived("logger.max_logs_kept", keep, "inherited",
		"rotated files kept; -1 or 0: all",
		func(a *appDraft) *int { return &a.rotation.MaxKept }),
	derived("logger.max_log_age", keep, "inherited",
		"days before a log file is rotated and rotated files are removed; -1 or 0: no limit",
		func(a *appDraft) *int { return &a.rotation.MaxAge }),
	derived("logger.journal", onOff, "inherited",
		"whether stdout and stderr go to systemd's journal as well, where `journalctl GRACEVISOR_APP=NAME` shows them",
		func(a *appDraft) *bool { return &a.Journal }),
	option("access_log", accessLog, "off",
		"format of a line for each request, or `off`",
		func(a *appDraft) *string { return &a.Traffic.AccessLog }),
	derived("access_log_file", filePath, "`access_NAME.log` in `log_dir`",
		"file of the access log",
		func(a *appDraft) *string { return &a.accessLogFile }),
}

// appTraffic is what the proxy lets through and how long it waits.
var appTraffic = []entry[appDraft]{
	option("hold_timeout", duration, "10s",
		"how long a request waits while no instance is ready",
		func(a *appDraft) *time.Duration { return &a.Traffic.HoldTimeout }),
	option("hold_max", number(1, 1_000_000), "1024",
		"how many requests wait while no instance is ready",
		func(a *appDraft) *int { return &a.Traffic.HoldMax }),
	option("header_timeout", duration, "10s",
		"time that a client has for the header of a request",
		func(a *appDraft) *time.Duration { return &a.Traffic.HeaderTimeout }),
	option("idle_timeout", duration, "75s",
		"time that a client's connection may be idle between requests",
		func(a *appDraft) *time.Duration { return &a.Traffic.IdleTimeout }),
	option("connect_timeout", duration, "5s",
		"time to connect to an instance",
		func(a *appDraft) *time.Duration { return &a.Traffic.ConnectTimeout }),
	option("answer_timeout", bound, "none",
		"time that an instance has for the header of its answer",
		func(a *appDraft) *time.Duration { return &a.Traffic.AnswerTimeout }),
	option("body_timeout", duration, "60s",
		"time that a body, of either direction, may make no progress",
		func(a *appDraft) *time.Duration { return &a.Traffic.BodyTimeout }),
	option("max_header_bytes", bufferSize(minHeaderBytes, maxHeaderBytes), "65536",
		"size of the header of a request",
		func(a *appDraft) *int { return &a.Traffic.MaxHeaderBytes }),
	option("max_headers", number(1, maxHeaders), "100",
		"number of header fields of a request",
		func(a *appDraft) *int { return &a.Traffic.MaxHeaders }),
	option("max_body_bytes", sizeLimit, "none",
		"size of the body of a request",
		func(a *appDraft) *int64 { return &a.Traffic.MaxBodyBytes }),
	option("max_answer_header_bytes", bufferSize(minHeaderBytes, maxHeaderBytes), "65536",
		"size of the header of an answer",
		func(a *appDraft) *int { return &a.Traffic.MaxAnswerHeaderBytes }),
	option("max_answer_headers", number(1, maxHeaders), "200",
		"number of header fields of an answer",
		func(a *appDraft) *int { return &a.Traffic.MaxAnswerHeaders }),
	option("max_connections", limit, "none",
		"client connections of the app; more wait in the backlog",
		func(a *appDraft) *int { return &a.Traffic.MaxConnections }),
	option("trusted_proxies", networks, "[]",
		"addresses or networks (CIDR) whose `X-Forwarded-*` and `Forwarded` are kept; the access log names the client that they name",
		func(a *appDraft) *[]string { return &a.Traffic.TrustedProxies }),
	option("via", onOff, "off",
		"whether a `Via` field is added to requests and answers; that it is off deviates from RFC 9110 §7.6.3, which asks it of all proxies",
		func(a *appDraft) *bool { return &a.Traffic.Via }),
	option("upgrades", upgrades, "[websocket]",
		"protocols of `Upgrade` that are passed on; never `h2c`",
		func(a *appDraft) *[]string { return &a.Traffic.Upgrades }),
}
