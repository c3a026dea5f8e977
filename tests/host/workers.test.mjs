import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Admin } from './envoy/admin.mjs';
import { Envoy } from './envoy/envoy.mjs';
import { COMPLETE, NOTHING_UNSENT, QUIT, WORKLOAD, completion, signal, signalHeaders, status } from './filter.mjs';

function begin({ inFlight = 0, ...options } = {}) {
  const envoy = new Envoy(options);
  const admin = new Admin(envoy);
  admin.inFlight[WORKLOAD] = inFlight;
  return { envoy, admin };
}

// After this time without renewal the driver's claim has expired.
const LEASE_MS = 2_000;

test('every worker reports the same state at every moment of a drain', () => {
  const { envoy, admin } = begin({ workers: 4, inFlight: 3 });
  const reported = () => envoy.workers.map((_, worker) => status(envoy, worker));
  const check = () => reported().forEach((one) => assert.deepEqual(one, reported()[0]));
  check();
  signal(envoy, { unsent: { connections: 2, bytes: 99, downstream: 1 } }, 2);
  for (let step = 0; step < 20; step += 1) {
    check();
    envoy.advance(137);
  }
  signal(envoy, { unsent: NOTHING_UNSENT }, 1);
  admin.inFlight[WORKLOAD] = 0;
  envoy.advanceUntil(() => admin.quitBy, 1_000);
  check();
  assert.equal(reported()[0].state, 'quitting');
});

test('a worker reports a signal that another worker has taken, even before the driver has handled it', () => {
  const { envoy } = begin();
  envoy.begin({ worker: 0, method: 'POST', path: COMPLETE, headers: signalHeaders(JSON.stringify(completion())) });
  const reported = envoy.begin({ worker: 1, path: '/v1/status' }).response.body.toString();
  assert.match(reported, /"state":"draining","container":"base"/);
});

test('signals on all workers make one drain with one driver', () => {
  const { envoy, admin } = begin({ workers: 4, inFlight: 1 });
  for (let number = 0; number < 16; number += 1) {
    signal(envoy, {}, number % 4);
  }
  admin.inFlight[WORKLOAD] = 0;
  envoy.advanceUntil(() => admin.quitBy, 1_000);
  assert.equal(admin.count('POST /healthcheck/fail'), 1);
  assert.equal(admin.count(QUIT), 1);
  assert.equal(envoy.logged('info').length, 2, envoy.shownLog);
});

test('two signals at the same moment make one drain, and drain outranks quit', () => {
  const { envoy, admin } = begin({ inFlight: 1 });
  // The other worker handles a whole request between the moments when this worker reads and writes the shared data.
  const set = envoy.data.set.bind(envoy.data);
  let others = 0;
  envoy.data.set = (...parts) => {
    if (others === 0) {
      others += 1;
      const headers = signalHeaders(JSON.stringify(completion({ action: 'drain' })));
      const { response } = envoy.begin({ worker: 1, method: 'POST', path: COMPLETE, headers });
      assert.equal(response.status, 202);
    }
    return set(...parts);
  };
  signal(envoy, { action: 'quit' }, 0);
  admin.inFlight[WORKLOAD] = 0;
  signal(envoy, {}, 0);
  envoy.advance(600_000);
  assert.equal(status(envoy).state, 'drained', envoy.shownLog);
  assert.equal(admin.count(QUIT), 0);
});

// Runs `others` between the moments when a worker has read the claim and writes it, once.
function whileClaiming(envoy, others) {
  const set = envoy.data.set.bind(envoy.data);
  let begun = false;
  envoy.data.set = (key, ...parts) => {
    if (!begun && key.toString().endsWith('claim')) {
      begun = true;
      others();
    }
    return set(key, ...parts);
  };
}

test('two workers that claim the drain at the same moment make one drain with one driver', () => {
  const { envoy, admin } = begin({ inFlight: 1 });
  // The other worker becomes the driver between the moments when this worker sees that there is none and claims the drain.
  const register = envoy.queues.register.bind(envoy.queues);
  let others = 0;
  envoy.queues.register = (...parts) => {
    others += 1;
    if (others === 1) {
      signal(envoy, {}, 1);
    }
    return register(...parts);
  };
  signal(envoy, {}, 0);
  envoy.advance(1_000);
  admin.inFlight[WORKLOAD] = 0;
  envoy.advanceUntil(() => admin.quitBy, 1_000);
  assert.equal(admin.count('POST /healthcheck/fail'), 1);
  assert.equal(envoy.logged('info').length, 2, envoy.shownLog);
});

test('a worker that only tries to get the claim does not get the signals of the driver', () => {
  const { envoy, admin } = begin({ inFlight: 1 });
  signal(envoy, { unsent: NOTHING_UNSENT }, 0);
  // The driver looks as if it were gone, and renews its claim at the last moment.
  envoy.skewWallClock(LEASE_MS + 500);
  whileClaiming(envoy, () => envoy.workers[0].call('proxy_on_tick', envoy.workers[0].root));
  signal(envoy, { unsent: { connections: 1, bytes: 7, downstream: 1 } }, 1);
  for (let number = 0; number < 2; number += 1) {
    envoy.advance(4);
    signal(envoy, { unsent: NOTHING_UNSENT }, 1);
  }
  assert.ok(admin.quitBy, envoy.shownLog);
});

test('a worker that has lost the claim passes its signals on', () => {
  const { envoy, admin } = begin({ inFlight: 1 });
  signal(envoy, { unsent: NOTHING_UNSENT }, 0);
  // This one is in the queue of the first worker when the second one takes over.
  envoy.begin({ worker: 1, method: 'POST', path: COMPLETE, headers: signalHeaders(JSON.stringify(completion({ unsent: NOTHING_UNSENT }))) });
  envoy.skewWallClock(LEASE_MS + 500);
  status(envoy, 1);
  envoy.advance(4);
  assert.equal(admin.quitBy, undefined);
  signal(envoy, { unsent: NOTHING_UNSENT }, 1);
  assert.ok(admin.quitBy, envoy.shownLog);
});

test('a signal without facts is no new reading of the kernel', () => {
  const { envoy, admin } = begin({ inFlight: 1 });
  signal(envoy, { unsent: NOTHING_UNSENT });
  for (let number = 0; number < 5; number += 1) {
    envoy.advance(4);
    signal(envoy, {}, 1);
  }
  assert.equal(admin.quitBy, undefined, envoy.shownLog);
  signal(envoy, { unsent: NOTHING_UNSENT });
  assert.ok(admin.quitBy, 'this one is');
});

test('the worker that takes a drain over does not count an old idle reading', () => {
  const { envoy, admin } = begin({ inFlight: 1 });
  signal(envoy, { unsent: NOTHING_UNSENT }, 0);
  envoy.workers[0].die(new Error('the thread is gone'));
  envoy.advance(LEASE_MS);
  status(envoy, 1);
  envoy.advance(4);
  signal(envoy, { unsent: NOTHING_UNSENT }, 1);
  assert.equal(admin.quitBy, undefined, envoy.shownLog);
  envoy.advance(4);
  signal(envoy, { unsent: NOTHING_UNSENT }, 1);
  assert.ok(admin.quitBy);
});

test('the worker that takes a drain over knows what the kernel held when nobody had handled that yet', () => {
  const { envoy, admin } = begin();
  const held = { connections: 1, bytes: 7, downstream: 1 };
  envoy.begin({ worker: 0, method: 'POST', path: COMPLETE, headers: signalHeaders(JSON.stringify(completion({ unsent: held }))) });
  envoy.workers[0].die(new Error('the thread is gone'));
  envoy.settle();
  envoy.advance(LEASE_MS);
  signal(envoy, {}, 1);
  envoy.advance(4_000);
  assert.equal(admin.quitBy, undefined, envoy.shownLog);
});

test('if the driver dies during a drain, another worker takes over at the next signal', () => {
  const { envoy, admin } = begin({ inFlight: 1 });
  signal(envoy, {}, 0);
  envoy.advance(1_000);
  envoy.workers[0].die(new Error('the thread is gone'));
  envoy.advance(LEASE_MS);
  signal(envoy, {}, 1);
  admin.inFlight[WORKLOAD] = 0;
  envoy.advanceUntil(() => admin.quitBy, 1_000);
  assert.equal(status(envoy, 1).state, 'quitting');
});

test('if the driver dies during a drain, another worker takes over when it is asked for the status', () => {
  const { envoy, admin } = begin({ inFlight: 1 });
  signal(envoy, {}, 0);
  envoy.advance(1_000);
  envoy.workers[0].die(new Error('the thread is gone'));
  envoy.advance(LEASE_MS);
  status(envoy, 1);
  admin.inFlight[WORKLOAD] = 0;
  envoy.advanceUntil(() => admin.quitBy, 1_000);
});

test('if a worker dies between signal and drain, another worker takes over at the next signal', () => {
  const { envoy, admin } = begin();
  envoy.begin({ worker: 0, method: 'POST', path: COMPLETE, headers: signalHeaders(JSON.stringify(completion())) });
  envoy.workers[0].die(new Error('the thread is gone'));
  envoy.settle();
  envoy.advance(LEASE_MS);
  signal(envoy, {}, 1);
  envoy.advanceUntil(() => admin.quitBy, 1_000);
});

test('a worker that is started again continues its drain by itself', () => {
  const { envoy, admin } = begin({ inFlight: 1 });
  signal(envoy, {}, 0);
  envoy.advance(1_000);
  envoy.workers[0].die(new Error('the thread is gone'));
  envoy.reload(0);
  admin.inFlight[WORKLOAD] = 0;
  const took = envoy.advanceUntil(() => admin.quitBy, 10_000);
  assert.ok(took <= 2 * LEASE_MS, `${took} ms`);
});

test('a new configuration during a drain continues it, and forgets nothing', () => {
  const { envoy, admin } = begin({ inFlight: 1 });
  signal(envoy, { unsent: { connections: 1, bytes: 7, downstream: 1 } }, 1);
  envoy.advance(5_000);
  envoy.reconfigure({ drainTimeout: '10s' });
  assert.equal(status(envoy).unsent.bytes, 7);
  assert.equal(status(envoy).container, 'base');
  const took = envoy.advanceUntil(() => admin.quitBy, 20_000);
  assert.ok(took >= 4_000 && took <= 8_000, `the new deadline counts from the completion: ${took} ms`);
  assert.equal(envoy.logged('info').filter((line) => line.startsWith('serving => ')).length, 1, envoy.shownLog);
});

test('the end of a worker that is not the driver changes nothing', () => {
  const { envoy, admin } = begin({ inFlight: 1 });
  signal(envoy, {}, 0);
  envoy.workers[1].die(new Error('the thread is gone'));
  envoy.main.die(new Error('the thread is gone'));
  envoy.advance(5_000);
  admin.inFlight[WORKLOAD] = 0;
  envoy.advanceUntil(() => admin.quitBy, 1_000);
  assert.equal(admin.count('POST /healthcheck/fail'), 1);
});

test('a change of the driver makes no second log line and no second quit', () => {
  const { envoy, admin } = begin({ workers: 3, inFlight: 1 });
  for (let worker = 0; worker < 2; worker += 1) {
    signal(envoy, {}, worker);
    envoy.advance(500);
    envoy.workers[worker].die(new Error('the thread is gone'));
    envoy.advance(LEASE_MS);
  }
  signal(envoy, {}, 2);
  admin.inFlight[WORKLOAD] = 0;
  envoy.advanceUntil(() => admin.quitBy, 1_000);
  assert.equal(admin.count(QUIT), 1);
  assert.equal(envoy.logged('info').length, 2, envoy.shownLog);
});

test('new workers do not begin a drain again that has ended', () => {
  const { envoy, admin } = begin();
  signal(envoy, { action: 'drain' });
  envoy.advance(60_000);
  const before = admin.requests.length;
  envoy.reconfigure({});
  envoy.reload(0);
  envoy.advance(60_000);
  assert.equal(status(envoy).state, 'drained');
  assert.equal(admin.requests.length, before);
  assert.equal(envoy.ticking, false);
});
