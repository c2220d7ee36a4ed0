// Jest setup: runs tests although they are marked as skipped, each with a fresh sandbox.
test.skip = test;
describe.skip = describe;

beforeEach(async () => {
  await fetch(process.env.MOCKVOICE_RESET, { method: 'POST' });
});
