// Command gracevisord is the daemon: it runs the apps of a configuration and
// proxies their clients to them. The same binary is the supervisor, the proxy
// worker and the launcher of an app, which are told apart by the first argument.
package main
