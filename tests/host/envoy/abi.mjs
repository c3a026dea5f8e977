// The numbers of Proxy-Wasm ABI 0.2.1, with the names that proxy-wasm-cpp-host gives them (include/proxy-wasm/context_interface.h).

export const Status = Object.freeze({
  Ok: 0,
  NotFound: 1,
  BadArgument: 2,
  InvalidMemoryAccess: 6,
  Empty: 7,
  CasMismatch: 8,
  InternalFailure: 10,
  Unimplemented: 12,
});

export const MapType = Object.freeze({
  RequestHeaders: 0,
  RequestTrailers: 1,
  ResponseHeaders: 2,
  ResponseTrailers: 3,
  HttpCallResponseHeaders: 6,
  HttpCallResponseTrailers: 7,
});

export const BufferType = Object.freeze({
  RequestBody: 0,
  ResponseBody: 1,
  HttpCallResponseBody: 4,
  VmConfiguration: 6,
  PluginConfiguration: 7,
  CallData: 8,
});

export const HeadersStatus = Object.freeze({
  Continue: 0,
  StopIteration: 1,
  StopAllIterationAndWatermark: 4,
});

export const DataStatus = Object.freeze({
  Continue: 0,
  StopIterationAndBuffer: 1,
  StopIterationNoBuffer: 3,
});

export const LOG_LEVELS = Object.freeze(['trace', 'debug', 'info', 'warning', 'error', 'critical']);

export const METRIC_KINDS = Object.freeze(['counter', 'gauge', 'histogram']);
