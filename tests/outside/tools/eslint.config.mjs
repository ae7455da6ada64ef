import graphql from "@graphql-eslint/eslint-plugin";

// Values without an identity: they are parts of the object that holds them.
const types = [
  "Achievability", "Attainment", "AttainmentLine", "AuditEntry", "CalendarException", "CitedResult", "ClockPause",
  "ComplaintAttachment", "ComplaintReporter", "CurrencyReconciliation", "DailyFact", "DailyFigures",
  "DeadlineRevision", "Derivation", "ForecastScore", "FunnelRate", "ImplausibleWork", "ImportCounts", "ImportRow",
  "LeaderboardRow", "Membership", "Money", "OpenInterval", "PageInfo", "Period", "PersonRevenue", "ProbabilityBand",
  "Projection", "Quantity", "Reconciliation", "ReconciliationDifference", "ReporterAddress", "Signature",
  "SlaClock", "StageDates", "SupportAction", "SupportPlan", "TargetBands", "TargetGap", "TargetLine",
  "TargetOverride", "TargetTerms", "TeamRevenue", "UserError", "Viewer", "WeeklyInterval",
];

export default [
  {
    files: ["**/*.graphql"],
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema: "./schema.graphql" } } },
    plugins: { "@graphql-eslint": graphql },
    rules: {
      ...graphql.configs["flat/schema-recommended"].rules,
      "@graphql-eslint/strict-id-in-types": [
        "error",
        { exceptions: { types, suffixes: ["Connection", "Edge", "Payload"] } },
      ],
    },
  },
];
