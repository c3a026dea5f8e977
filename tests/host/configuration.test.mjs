import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Admin } from './envoy/admin.mjs';
import { Envoy } from './envoy/envoy.mjs';
import { QUIT, STATUS, signal, status } from './filter.mjs';

// The log lines for a configuration that is refused.
function mistakesIn(configuration) {
  const lines = [];
  class Watched extends Envoy {
    log(level, message) {
      lines.push(`${level} ${message}`);
    }
  }
  assert.throws(() => new Watched({ configuration }), /the configuration is refused/);
  return lines;
}

test('without a configuration the defaults apply: three signal addresses, and nothing in the log', () => {
  for (const configuration of ['', '{}', 'null']) {
    const envoy = new Envoy({ configuration });
    for (const address of ['127.0.0.1:15190', '[::1]:15190', '192.0.2.190:15190']) {
      assert.equal(envoy.request({ address, path: STATUS }).response?.status, 200, address);
    }
    assert.deepEqual(envoy.lines, []);
  }
});

test('every field can be set', () => {
  const configuration = {
    signal: { port: 9999, addresses: ['127.0.0.2', '::1'] },
    drainTimeout: '1m30s',
    stallTimeout: '5s',
    settle: '10ms',
    adminCluster: 'admin',
    agentCluster: 'pilot',
    ignoreClusters: ['outbound|443||noise.example'],
    quit: 'never',
    maxClusters: 7,
  };
  const envoy = new Envoy({ configuration });
  assert.equal(envoy.request({ address: '127.0.0.2:9999', path: STATUS }).response.status, 200);
  assert.equal(envoy.request({ address: '127.0.0.1:15190', path: STATUS }).response, undefined);
});

test('every mistake in a configuration is logged in its own line, and the plugin is refused', () => {
  const lines = mistakesIn({
    signal: { port: 70000, addresses: ['localhost'], prot: 1 },
    drainTimeout: 25,
    stallTimeout: '15',
    settle: '1h',
    quit: 'yes',
    maxClusters: -1,
    ignoreClusters: 'x',
    adminCluster: '',
    drainTimout: '1s',
  });
  const fields = lines.map((line) => line.match(/^error plugin configuration refused: ([\w.]+): .*/)?.[1] ?? line);
  const wrong = ['signal.port', 'signal.addresses', 'signal.prot', 'drainTimeout', 'stallTimeout', 'settle', 'maxClusters', 'quit'];
  assert.deepEqual(fields.sort(), [...wrong, 'adminCluster', 'ignoreClusters', 'drainTimout'].sort());
});

test('what is not a JSON object is refused with one line', () => {
  for (const configuration of ['[]', '"x"', '7', '{', '{"quit":"auto"} x', '\u0000', '{"quit":'.repeat(2000)]) {
    const lines = mistakesIn(configuration);
    assert.equal(lines.length, 1, configuration.slice(0, 20));
    assert.match(lines[0], /^error plugin configuration refused: /);
  }
});

test('calls go to the configured clusters of the admin interface and of pilot-agent', () => {
  const envoy = new Envoy({ configuration: { adminCluster: 'admin', agentCluster: 'pilot' }, clusters: ['admin', 'pilot'] });
  const called = new Set();
  envoy.onCall = (call) => {
    called.add(call.cluster);
    call.answer(500);
  };
  signal(envoy);
  envoy.advance(60_000);
  assert.deepEqual(called, new Set(['admin', 'pilot']));
});

test('with quit: never Envoy stays running, whatever the signal says', () => {
  const envoy = new Envoy({ configuration: { quit: 'never' } });
  const admin = new Admin(envoy);
  signal(envoy, { action: 'quit' });
  envoy.advance(600_000);
  assert.equal(status(envoy).state, 'drained');
  assert.equal(admin.count(QUIT), 0);
});
