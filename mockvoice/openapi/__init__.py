"""OpenAPI contracts: documents, schemas, messages and examples."""
