// Package dashboard reads Grafana dashboards in the classic JSON schema, whatever version of Grafana, generator or hand wrote them.
//
// There are two layers. [Parse] gives a [Document]: a tree of [Node] that keeps order, duplicates and positions, and can be edited
// and written back. [Read] gives a [Dashboard]: the same file as a person thinks of it, with panels flattened out of rows of every
// generation, their targets, datasources resolved through inheritance and variables, units, thresholds, links, variables and
// annotations. Every part of the model points at the node it was read from, so a message can name file, line and column, and an
// editor can change the leaf.
//
// Reading never fails because of what a dashboard says: members of an unexpected type count as absent.
package dashboard
