package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gracevisor/internal/activation"
	"gracevisor/internal/config"
	"gracevisor/internal/socketunit"
)

const (
	// lastPlanFile holds the plan that was put into force last, in the state
	// directory.
	lastPlanFile = "plan.last"
	// lastPlanDraft matches the names under which it is written before it is put
	// into its place.
	lastPlanDraft = "." + lastPlanFile + ".*"
	// lastPlanVersion is that of its form. Another one is not read.
	lastPlanVersion = 1
	// longestPlan bounds what is read of it.
	longestPlan = 64 << 20
)

// savedPlan is what lastPlanFile holds, as JSON.
type savedPlan struct {
	Version int          `json:"version"`
	Plan    *config.Plan `json:"plan"`
}

// stateDirectory is what the service manager has made for us (StateDirectory= of
// systemd.exec(5)), or "".
func stateDirectory() string {
	dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":")
	return dir
}

// planToStartWith reads the configuration. If it is broken, and an earlier
// daemon has left its plan behind, that one is gone by, loudly: a file that
// somebody has spoiled must not keep everything down after a boot.
func planToStartWith(log *slog.Logger, confDir, stateDir string) (*config.Plan, error) {
	plan, err := config.Load(confDir)
	if err == nil || stateDir == "" {
		return plan, err
	}
	last, lastErr := loadLastPlan(stateDir)
	if lastErr != nil {
		if !errors.Is(lastErr, fs.ErrNotExist) {
			log.Error("cannot go on with the last good configuration", "error", lastErr)
		}
		return nil, err
	}
	attrs := []any{"error", err}
	var faults config.Faults
	if errors.As(err, &faults) {
		attrs = []any{"faults", faults.Lines()}
	}
	log.Error("the configuration is not valid; starting with the last one that was", attrs...)
	return last, nil
}

func loadLastPlan(dir string) (*config.Plan, error) {
	path := filepath.Join(dir, lastPlanFile)
	info, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("read the last plan: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > longestPlan {
		return nil, fmt.Errorf("read the last plan: %s is not what was written there", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the last plan: %w", err)
	}
	var saved savedPlan
	if err := json.Unmarshal(data, &saved); err != nil {
		return nil, fmt.Errorf("read the last plan: %w", err)
	}
	if saved.Version != lastPlanVersion || saved.Plan == nil {
		return nil, fmt.Errorf("read the last plan: it has version %d; this build reads %d", saved.Version, lastPlanVersion)
	}
	return saved.Plan, nil
}

// rememberPlan saves a plan that is put into force, and what gracevisor.socket is
// to listen on for it, for a boot that finds the configuration broken.
func (d *daemon) rememberPlan(plan *config.Plan) {
	if d.stateDir == "" {
		return
	}
	err := errors.Join(saveLastPlan(d.stateDir, plan),
		socketunit.Save(d.stateDir, socketunit.Addresses(plan, hasIPv6())))
	if err != nil {
		d.log.Warn("cannot save the configuration in force; a boot that finds it broken will start nothing", "error", err)
	}
}

// saveLastPlan replaces the file in one step. Only its owner can read it: the
// environment of apps may hold secrets.
func saveLastPlan(dir string, plan *config.Plan) error {
	data, err := json.Marshal(savedPlan{lastPlanVersion, plan})
	if err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	f, err := os.CreateTemp(dir, lastPlanDraft) // with mode 0600
	if err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, lastPlanFile))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("save the plan: %w", err)
	}
	return nil
}

// failurePause is how long a daemon that has nothing to start with waits before
// it fails: the service manager would start it again at once, for ever.
const failurePause = 2 * time.Second

// failToStart returns the error of a daemon that has nothing to start with, once
// it has said all that it has to say. If there is a service manager, it waits
// until a signal comes or the pause is over.
func (o Options) failToStart(early *earlyLog, failure error) error {
	early.replay(slog.New(slog.NewTextHandler(o.Stderr, nil))) // there is no other log
	n := activation.NewNotifier(slog.New(slog.DiscardHandler))
	if !n.Active() {
		return failure
	}
	status := failure.Error()
	if faults := (config.Faults)(nil); errors.As(failure, &faults) {
		status = "the configuration is not valid; gracevisord --check tells more"
	}
	n.Status(strings.ReplaceAll(status, "\n", " "))
	select {
	case <-o.Signals:
	case <-time.After(failurePause):
	}
	return failure
}

// hasIPv6 reports whether the kernel has IPv6.
func hasIPv6() bool {
	_, err := os.Stat("/proc/net/if_inet6")
	return !errors.Is(err, fs.ErrNotExist)
}
