import { graphql } from "relay-runtime";

export const fragment = graphql`
  fragment Customers_query on Query
  @refetchable(queryName: "CustomersPaginationQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" }) {
    customers(first: $count, after: $cursor) @connection(key: "Customers_query_customers") {
      edges {
        node {
          id
          name
          owner {
            id
            name
          }
        }
      }
    }
  }
`;

export const query = graphql`
  query CustomersQuery($id: ID!) {
    ...Customers_query
    node(id: $id) {
      ... on Deal {
        number
      }
    }
  }
`;

export const mutation = graphql`
  mutation CustomersCreateMutation($input: CreateCustomerInput!) {
    createCustomer(input: $input) {
      customer {
        id
      }
      userErrors {
        field
        code
        message
      }
    }
  }
`;
