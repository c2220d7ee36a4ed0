"""Reading a contract; knows nothing of mocks."""
