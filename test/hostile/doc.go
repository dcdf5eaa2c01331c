// Package hostile holds no code: its tests let clients and apps behave as badly
// as they can, at the real daemon, and watch that everybody else is served.
//
//   - crowds: 10,000 connections that do nothing, 1,000 clients that never finish
//     a header;
//   - clients that vanish in the middle of everything;
//   - apps that answer garbage, too much, too little or nothing, and one that
//     resets kept-alive connections as the next request arrives;
//   - whoever goes beyond a limit of the configuration.
//
// Beside them goes a load of package load, of which not a single request may
// fail. What an exchange looks like byte for byte is tested in internal/proxy;
// here it is that the limits arrive from the configuration at the worker, and
// what was counted and logged at the operator.
package hostile
