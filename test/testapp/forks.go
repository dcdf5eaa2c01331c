package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"gracevisor/test/events"
)

// roleEnv makes the program one of the processes that the app starts:
// "child" stays and does nothing, "parent" starts such a one in a session of
// its own and exits, which makes it an orphan.
const (
	roleEnv = "GV_TEST_ROLE"
)

// childLife ends children that every test has forgotten.
const childLife = 10 * time.Minute

// fork starts the children and grandchildren that the options ask for. They
// inherit standard output and error, and keep them open.
func (a *app) fork() error {
	for range a.children {
		cmd := childCommand("child")
		if err := cmd.Start(); err != nil {
			return err
		}
		// Ends with the child; who leaves zombies is another app.
		go func() { _ = cmd.Wait() }()
		a.tell(events.Event{Kind: events.Forked, PID: cmd.Process.Pid, Detail: "child"})
	}
	for range a.grandchildren {
		if err := childCommand("parent").Run(); err != nil {
			return err
		}
	}
	if a.stubborn && a.children+a.grandchildren == 0 {
		return fmt.Errorf("--stubborn is for children, and there are none")
	}
	return nil
}

func childCommand(role string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd
}

// childMain is what a child does.
func childMain(role string) {
	o, err := parseOptions(os.Args[1:])
	if err != nil {
		os.Exit(2)
	}
	if role == "parent" {
		cmd := childCommand("child")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			fmt.Fprintln(os.Stderr, "testapp:", err)
			os.Exit(1)
		}
		a := &app{instance: os.Getenv("GRACEVISOR_INSTANCE")}
		a.tell(events.Event{Kind: events.Forked, PID: cmd.Process.Pid, Detail: "grandchild"})
		return
	}
	if o.stubborn {
		signal.Ignore(stopSignals...)
	}
	<-time.After(childLife)
}
