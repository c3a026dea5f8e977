import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { BYTES, Envoy } from './envoy/envoy.mjs';
import { imports } from './envoy/imports.mjs';

const MODULE = new WebAssembly.Module(BYTES);

// Every pod downloads the module; the README promises these limits.
const MAX_BYTES = 170_000;
const MAX_GZIPPED = 75_000;

test('the module imports nothing but functions of env', () => {
  const others = WebAssembly.Module.imports(MODULE).filter(({ module, kind }) => module !== 'env' || kind !== 'function');
  assert.deepEqual(others, []);
});

test('every import is a host function of Proxy-Wasm that Envoy has', () => {
  const known = Object.keys(imports({}, { data: {}, queues: {}, metrics: {} }));
  const unknown = WebAssembly.Module.imports(MODULE).filter(({ name }) => !known.includes(name));
  assert.deepEqual(unknown, []);
});

test('the module exports its ABI version, its memory and an allocator', () => {
  const exported = WebAssembly.Module.exports(MODULE).map(({ name }) => name);
  assert.ok(exported.some((name) => name === 'proxy_abi_version_0_2_0' || name === 'proxy_abi_version_0_2_1'), exported.join(' '));
  assert.ok(exported.includes('malloc') && exported.includes('memory'), exported.join(' '));
});

test(`the module has at most ${MAX_BYTES} bytes, and ${MAX_GZIPPED} when gzipped`, () => {
  assert.ok(BYTES.length <= MAX_BYTES, `${BYTES.length} bytes`);
  const gzipped = gzipSync(BYTES, { level: 9 }).length;
  assert.ok(gzipped <= MAX_GZIPPED, `${gzipped} bytes`);
});

test('the module contains no path of the machine that built it', () => {
  const paths = BYTES.toString('latin1').match(/\/(?:root|home|usr|tmp|work|rustc)\/[\w./-]+/g) ?? [];
  // The precompiled standard library names its files by the commit of Rust.
  assert.deepEqual(paths.filter((path) => !/^\/rustc\/[0-9a-f]{40}\/library\//.test(path)), []);
});

test('while it starts, the module calls nothing that Envoy does not allow yet', () => {
  // Otherwise the host throws, and the virtual machine fails.
  const envoy = new Envoy();
  assert.deepEqual(envoy.vms.map((vm) => vm.failure), [undefined, undefined, undefined]);
});
