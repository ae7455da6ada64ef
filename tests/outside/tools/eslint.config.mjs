import graphql from "@graphql-eslint/eslint-plugin";

// Values without an identity: they are parts of the object that holds them.
const types = [
  "AuditEntry", "CurrencyReconciliation", "ImportCounts", "ImportRow", "Membership", "Money", "PageInfo", "Period",
  "PersonRevenue", "Reconciliation", "ReconciliationDifference", "TeamRevenue", "UserError", "Viewer",
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
