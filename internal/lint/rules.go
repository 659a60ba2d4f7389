package lint

// Rules are all rules, in the order of docs/lint/README.md.
func Rules() []*Rule {
	return []*Rule{
		// files
		unreadable, jsonSyntax, yamlSyntax, jsonDuplicateKey, silenceReason, mixedSchema, layoutElement, planRefused,
		// rule files
		ruleFile, alertRule, alertTemplate, alertComparison, alertConstant, alertFor, alertLabelRemoved, alertValueLabel, alertAbsent, alertDuplicate, ruleMissing,
		alertPolicy, alertLink, externalLabel, fragileJoin,
		// queries
		promqlSyntax, queryLanguage, counterWithoutRate, rateOnGauge, rateOverAggregate, rangeTooShort, rateInterval, regexpNeedless, vectorMatching,
		impossibleSelector, histogramQuantileLe, experimentalFunction, variableNeedsRegexp, emptyQuery,
		// references
		undefinedVariable, unusedVariable, duplicateVariable, variableCycle, variableRefresh, variableRegexp, datasourceUndefined, datasourceHardcoded,
		datasourceMismatch, unresolvedInput, libraryPanel, panelReference, duplicateRefID, duplicatePanelID, duplicateUID,
		// what a person sees
		dashboardTitle, dashboardPanels, dashboardUID, dashboardEditable, panelTitle, panelDescription, panelUnit, unitUnknown, unitMismatch, thresholds, overlappingPanels, panelSize,
		removedPanelType, refreshTooFast,
	}
}
