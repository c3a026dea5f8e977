import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Envoy } from './envoy/envoy.mjs';
import { COMPLETE, completion, signal, signalHeaders, status } from './filter.mjs';

// By mistake a plugin may match every listener. Then all traffic of the pod passes through the filter.
const ELSEWHERE = ['10.0.0.5:8080', '127.0.0.1:8080', '127.0.0.1:1519', '127.0.0.2:15190', '[fd00::5]:15190', '192.0.2.191:15190'];

function upload(envoy, address) {
  return envoy.begin({
    address,
    method: 'POST',
    path: '/upload?x=1',
    headers: { 'content-type': 'application/octet-stream', 'x-exeunt': '1', 'x-bytes': Buffer.of(0xff, 0x00, 0x80) },
    body: [Buffer.alloc(65536, 1), Buffer.alloc(3, 2), Buffer.alloc(0), Buffer.alloc(1, 3)],
    trailers: { 'x-checksum': '7' },
  });
}

for (const address of ELSEWHERE) {
  test(`a stream that was accepted on ${address} passes through unchanged, piece by piece`, () => {
    const envoy = new Envoy();
    const { upstream, response } = upload(envoy, address);
    assert.equal(response, undefined);
    assert.equal(upstream.headers.get(':path'), '/upload?x=1');
    assert.deepEqual(upstream.headers.bytes('x-bytes'), Buffer.of(0xff, 0x00, 0x80));
    assert.deepEqual(upstream.pieces.map((piece) => piece.length), [65536, 3, 0, 1], 'each piece is forwarded by itself');
    assert.deepEqual(upstream.trailers.toObject(), { 'x-checksum': '7' });
    assert.ok(upstream.ended);
  });
}

test('for another stream the filter asks for the address of its listener, once, and for nothing else', () => {
  const envoy = new Envoy();
  const stream = upload(envoy, '10.0.0.5:8080');
  stream.answerFromUpstream(200, { server: 'backend' }, 'x'.repeat(70_000));
  stream.close();
  assert.deepEqual(stream.hostCalls, ['proxy_get_property']);
  assert.deepEqual(stream.response.headers.toObject(), { ':status': '200', server: 'backend' });
  assert.equal(stream.response.body.length, 70_000);
});

test('a signal on another listener is ignored, whatever its headers say', () => {
  const envoy = new Envoy();
  for (const address of ELSEWHERE) {
    const claims = { 'x-forwarded-for': '127.0.0.1', forwarded: 'for=127.0.0.1', 'x-envoy-original-dst-host': '127.0.0.1:15190' };
    const headers = { ...signalHeaders(JSON.stringify(completion())), ...claims };
    const { upstream, response } = envoy.request({ address, method: 'POST', path: COMPLETE, headers });
    assert.equal(response, undefined, address);
    assert.equal(upstream.headers.get(':path'), COMPLETE, address);
  }
  assert.equal(status(envoy).state, 'serving');
  assert.deepEqual(envoy.lines, []);
});

test('a stream without a known address passes through', () => {
  const envoy = new Envoy();
  for (const address of [null, '', 'not an address', '/run/envoy.sock', '127.0.0.1']) {
    assert.ok(envoy.request({ address, path: COMPLETE }).upstream, String(address));
  }
});

test('other streams also pass through during a drain', () => {
  const envoy = new Envoy();
  signal(envoy, { unsent: { connections: 1, bytes: 9 } });
  const { upstream, response } = upload(envoy, '10.0.0.5:8080');
  assert.equal(response, undefined);
  assert.ok(upstream.ended);
});

test('a thousand other streams write nothing to the log, at any level', () => {
  const envoy = new Envoy({ logLevel: 'trace' });
  for (let number = 0; number < 1000; number += 1) {
    envoy.request({ address: '10.0.0.5:8080', worker: number % 2 });
  }
  assert.deepEqual(envoy.lines, []);
});
