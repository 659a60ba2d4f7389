package drill

// Part is a part of the chain that alerts go along.
type Part string

// The parts, in the order of the way.
const (
	// PartSeries is where a drill writes its series: the console's /drill, or the scrape job of it.
	PartSeries Part = "drill series"
	// PartKnobs are the sample service's faults.
	PartKnobs Part = "exporter knobs"
	// PartPrometheus is the server that scrapes, and evaluates with engine prometheus.
	PartPrometheus Part = "prometheus"
	// PartGrafana is the server that evaluates with engine grafana.
	PartGrafana Part = "grafana"
	// PartScrape: the series is exposed and not stored.
	PartScrape Part = "scrape"
	// PartRule: the rule is missing, differs, or cannot be evaluated.
	PartRule Part = "rule"
	// PartThreshold: the value does not cross the threshold.
	PartThreshold Part = "threshold"
	// PartEvaluation: the rule is not evaluated in time.
	PartEvaluation Part = "evaluation"
	// PartAlertmanager: the server is down, or Prometheus sends elsewhere.
	PartAlertmanager Part = "alertmanager"
	// PartSilence: a silence holds the alert back.
	PartSilence Part = "silence"
	// PartInhibition: another alert holds it back.
	PartInhibition Part = "inhibition"
	// PartMute: the route's mute timing holds it back.
	PartMute Part = "mute timing"
	// PartReceiver: the notification goes to an address that does not take it.
	PartReceiver Part = "receiver"
	// PartRelay is the relay itself.
	PartRelay Part = "relay"
	// PartToken: the relay does not accept the sender's token.
	PartToken Part = "relay token"
	// PartRobot: the robot rejects the message or cannot be reached.
	PartRobot Part = "robot"
	// PartRecovery: the alert does not end.
	PartRecovery Part = "recovery"
	// PartLatency: everything works, and later than the schedule says.
	PartLatency Part = "latency"
)
