// Package render draws dashboards without a Grafana: the 24-column grid with its rows, and every panel with its title, unit, legend and
// thresholds, as SVG, PNG or one HTML page. Given a Prometheus it draws the real curves; without one it shows what a panel would ask.
//
// Charts are gonum/plot's. It was chosen over go-analyze/charts and go-chart since its axes are continuous (a Prometheus answer with gaps is
// no list of categories), it can draw a line at a given value (thresholds), it has heat maps, it reads OpenType fonts (Chinese), and
// everything goes through one small canvas interface, so that SVG and PNG come from the same calls.
//
// The bytes are a function of the dashboard, the options and what Prometheus answers: no ids, no clocks, no map order. A PNG depends on the
// machine's fonts besides if its text has characters that the built-in Latin font lacks; an SVG only names font families.
package render
