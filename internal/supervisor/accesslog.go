package supervisor

// openAccessLog makes the pipe that the workers write the app's access log to,
// or changes it to what the configuration in force wants.
func (s *Supervisor) openAccessLog(a *app) {
	wanted := a.plan.Traffic.AccessLog != ""
	if a.accessLog != nil && wanted && a.accessLogFor == a.plan.Traffic.AccessLogFile {
		return
	}
	s.closeAccessLog(a)
	if !wanted {
		return
	}
	file, err := s.system.OpenAccessLog(a.plan)
	if err != nil {
		s.log.Error("cannot open access log", "app", a.name, "error", err)
		return
	}
	a.accessLog, a.accessLogFor = file, a.plan.Traffic.AccessLogFile
	for _, w := range s.workers {
		delete(w.sent, accessLogName(a.name))
	}
}

func (s *Supervisor) closeAccessLog(a *app) {
	if a.accessLog != nil {
		a.accessLog.Close()
		a.accessLog = nil
	}
}

// accessLogName is the name of an app's access log towards the workers.
func accessLogName(app string) string { return "access:" + app }
