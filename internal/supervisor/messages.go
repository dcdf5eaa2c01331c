package supervisor

import (
	"time"

	"gracevisor/internal/activation"
	"gracevisor/internal/config"
	"gracevisor/internal/control"
	"gracevisor/internal/process"
	"gracevisor/internal/supervisor/lifecycle"
	"gracevisor/internal/wire"
)

// message is something that reaches the goroutine that owns the state. The set
// is closed: those in this file, and no others.
type message interface{ deliver(*Supervisor) }

type (
	// askStatus wants the state of the named apps, or of all.
	askStatus struct {
		apps  []string
		reply chan statusAnswer
	}
	// askOperation wants an operation on apps begun.
	askOperation struct {
		request control.Request
		reply   chan operationAnswer
	}
	// askApply wants the configuration of a plan applied.
	askApply struct {
		plan    *config.Plan
		request control.Request
		ended   func()
		reply   chan operationAnswer
	}
	// askReexec wants the job of a re-execution entered.
	askReexec struct {
		request control.Request
		reply   chan reexecAnswer
	}
	// reexecFailed: the program could not be replaced.
	reexecFailed struct {
		operation *operation
		why       string
	}
	// askJobs wants the list of jobs.
	askJobs struct{ reply chan []control.Job }
	// askCancel wants a job called off.
	askCancel struct {
		id     uint32
		caller string
		reply  chan error
	}
	// askSettings wants what an app is run with.
	askSettings struct {
		app   string
		reply chan settingsAnswer
	}
	// askWorkers wants the list of workers, and what they hold.
	askWorkers struct{ reply chan []control.Worker }
	// askSockets wants the list of external addresses.
	askSockets struct{ reply chan []control.Socket }
	// askSummary wants the state of all apps in short.
	askSummary struct{ reply chan Summary }
	// askFreeze wants the state saved and left alone until thaw is closed.
	askFreeze struct {
		restart bool
		frozen  chan error
		thaw    chan struct{}
	}
	// updateBegun: the configuration that a restart goes by was applied.
	updateBegun struct{}
	// askStop wants everything stopped, and, when it comes again, at once.
	askStop struct{}

	// instanceStarted: a process was cloned for an instance, or could not be.
	instanceStarted struct {
		instance *instance
		process  Process
		socket   SocketDir
		notify   Notify
		err      error
	}
	// instanceLaunched: the launcher became the app, or could not.
	instanceLaunched struct {
		instance *instance
		err      error
	}
	// instanceExited: the main process has ended.
	instanceExited struct {
		instance *instance
		exit     process.Exit
	}
	// instanceEmptied: nothing of the instance lives.
	instanceEmptied struct{ instance *instance }
	// instanceTargets: the addresses of an instance's internal host.
	instanceTargets struct {
		instance *instance
		targets  []wire.Target
		err      error
	}
	// instanceOwner: whether the port that answered is the instance's own.
	instanceOwner struct {
		instance        *instance
		owned, stranger bool
		err             error
	}
	// instanceTimer: the timer of an instance has run out.
	instanceTimer struct {
		instance *instance
		timer    *instanceClock
		event    lifecycle.Event
	}
	// instanceSaid: an instance has told something on its notify socket.
	instanceSaid struct {
		instance *instance
		event    activation.AppEvent
	}
	// watchdogTimer: an instance has not said for too long that it is alive.
	watchdogTimer struct {
		instance *instance
		clock    *clock
		limit    time.Duration
	}
	// attemptTimer: the pause before the next try is over.
	attemptTimer struct {
		attempt *attempt
		clock   *clock
	}
	// slotTimer: an attempt has held up others for long enough.
	slotTimer struct {
		attempt *attempt
		clock   *clock
	}
	// retryTimer: an app that failed is to be tried again.
	retryTimer struct {
		app   *app
		clock *clock
	}

	// listening: the addresses of an app are bound, or some could not be.
	listening struct {
		binding *binding
		set     activation.Set
	}
	// listenTimer: addresses that could not be bound are to be tried again.
	listenTimer struct {
		app   *app
		clock *clock
	}

	// workerStarted: a worker process was started, or could not be.
	workerStarted struct {
		worker  *worker
		process WorkerProcess
		err     error
	}
	// workerSaid: a message from a worker.
	workerSaid struct {
		worker *worker
		said   wire.Message
	}
	// workerHungUp: the conversation with a worker is over.
	workerHungUp struct {
		worker *worker
		err    error
	}
	// workerExited: a worker process has ended.
	workerExited struct {
		worker *worker
		exit   process.Exit
	}
	// workerTick: it is time to see whether the worker still answers.
	workerTick struct{ worker *worker }
	// workerDrainTimedOut: a worker that drains has had its time.
	workerDrainTimedOut struct{ worker *worker }
	// workerDue: a worker may be started again, if one is wanted.
	workerDue struct{}

	// shutdownTimeout: what has not ended by now is killed.
	shutdownTimeout struct{}
)

func (m askStatus) deliver(s *Supervisor)    { m.reply <- s.status(m.apps) }
func (m askOperation) deliver(s *Supervisor) { answerOnceSaved(s, m.reply, s.operate(m.request)) }
func (m askApply) deliver(s *Supervisor) {
	answerOnceSaved(s, m.reply, s.apply(m.plan, m.request, m.ended))
}
func (m askReexec) deliver(s *Supervisor)    { answerOnceSaved(s, m.reply, s.beginReexec(m.request)) }
func (m reexecFailed) deliver(s *Supervisor) { s.reexecFailed(m.operation, m.why) }
func (m askJobs) deliver(s *Supervisor)      { answerOnceSaved(s, m.reply, s.listJobs()) }
func (m askCancel) deliver(s *Supervisor)    { answerOnceSaved(s, m.reply, s.cancelJob(m.id, m.caller)) }
func (m askSettings) deliver(s *Supervisor)  { m.reply <- s.settings(m.app) }
func (m askWorkers) deliver(s *Supervisor)   { m.reply <- s.listWorkers() }
func (m askSockets) deliver(s *Supervisor)   { m.reply <- s.listSockets() }
func (m askSummary) deliver(s *Supervisor)   { m.reply <- s.summary() }
func (m askFreeze) deliver(s *Supervisor)    { s.freeze(m) }
func (m updateBegun) deliver(s *Supervisor)  { s.updateBegun() }
func (m askStop) deliver(s *Supervisor)      { s.stop() }

func (m instanceStarted) deliver(s *Supervisor)  { s.started(m.instance, m) }
func (m instanceLaunched) deliver(s *Supervisor) { s.launched(m.instance, m.err) }
func (m instanceExited) deliver(s *Supervisor)   { s.exited(m.instance, m.exit) }
func (m instanceEmptied) deliver(s *Supervisor)  { s.step(m.instance, lifecycle.Emptied) }
func (m instanceTargets) deliver(s *Supervisor)  { s.targeted(m.instance, m.targets, m.err) }
func (m instanceOwner) deliver(s *Supervisor) {
	s.ownerKnown(m.instance, m.owned, m.stranger, m.err)
}
func (m instanceTimer) deliver(s *Supervisor) {
	if m.instance.clock == m.timer {
		s.timedOut(m.instance, m.event)
	}
}
func (m instanceSaid) deliver(s *Supervisor) { s.said(m.instance, m.event) }
func (m attemptTimer) deliver(s *Supervisor) {
	if m.attempt.pause == m.clock {
		s.hasten(m.attempt)
	}
}
func (m slotTimer) deliver(s *Supervisor) {
	if m.attempt.slotBound == m.clock {
		s.releaseSlot(m.attempt)
	}
}
func (m retryTimer) deliver(s *Supervisor) {
	if m.app.retry == m.clock {
		s.retryFailed(m.app)
	}
}

func (m listening) deliver(s *Supervisor) { s.bound(m.binding, m.set) }
func (m listenTimer) deliver(s *Supervisor) {
	if m.app.listenRetry == m.clock && s.apps[m.app.name] == m.app {
		s.listen(m.app)
	}
}

func (m workerStarted) deliver(s *Supervisor) { s.workerStarted(m.worker, m.process, m.err) }
func (m workerSaid) deliver(s *Supervisor)    { s.workerSaid(m.worker, m.said) }
func (m workerHungUp) deliver(s *Supervisor)  { s.workerHungUp(m.worker, m.err) }
func (m workerExited) deliver(s *Supervisor)  { s.workerExited(m.worker, m.exit) }
func (m workerTick) deliver(s *Supervisor)    { s.checkWorker(m.worker) }
func (m workerDue) deliver(s *Supervisor) {
	if s.wantsWorker() {
		s.startWorker()
	}
}
func (m workerDrainTimedOut) deliver(s *Supervisor) {
	s.workerDrainTimedOut(m.worker)
}

func (m shutdownTimeout) deliver(s *Supervisor) { s.killEverything("shutdown_timeout has passed") }
