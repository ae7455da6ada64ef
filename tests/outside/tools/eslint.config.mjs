import graphql from "@graphql-eslint/eslint-plugin";

// Values without an identity: they are parts of the object that holds them.
const types = [
  "Achievability", "Attainment", "AttainmentLine", "AuditEntry", "CalendarException", "CitedResult", "CurrencyReconciliation", "DailyFact", "DailyFigures",
  "Derivation", "ForecastScore", "FunnelRate", "ImplausibleWork", "ImportCounts", "ImportRow", "LeaderboardRow", "Membership", "Money", "OpenInterval",
  "PageInfo", "Period", "PersonRevenue", "Projection", "Quantity", "Reconciliation", "ReconciliationDifference", "Signature", "StageDates",
  "SupportAction", "SupportPlan", "TargetLine", "TargetOverride", "TargetTerms", "TeamRevenue", "UserError",
  "Viewer", "WeeklyInterval",
  "ClockPause", "ComplaintAttachment", "ComplaintReporter", "DeadlineRevision", "ReporterAddress", "SlaClock",
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
