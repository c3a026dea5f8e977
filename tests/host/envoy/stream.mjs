// One HTTP stream through the filter and a router after it, as Envoy's filter manager runs them.

import { DataStatus, HeadersStatus } from './abi.mjs';
import { Headers } from './headers.mjs';

const NOTHING = Object.freeze({
  requestHeaders: undefined,
  requestBody: undefined,
  requestTrailers: undefined,
  responseHeaders: undefined,
  responseBody: undefined,
  responseTrailers: undefined,
});

export class Stream {
  // The properties, by path with dots.
  properties;
  // What the filter can see at this moment.
  current = { ...NOTHING };
  // Set while the filter stops the stream.
  stopped = false;
  // What has passed the filter: { headers, pieces, trailers, ended }; undefined until the head has passed.
  upstream;
  // The answer to the client: { status, headers, body }.
  response;
  // The filter state that the filter has set, by name.
  filterState = new Map();

  #vm;
  #context;
  #headsStopped = false;
  #buffered;
  #encoding = false;

  constructor(vm, properties) {
    this.#vm = vm;
    this.properties = properties;
    this.#context = vm.open(this);
  }

  // Sends the request's head. A filter that pauses here sees nothing of what follows (in ABI 0.2.x StopIteration means
  // StopAllIterationAndWatermark).
  sendHeaders(headers, end) {
    const status = this.#call('proxy_on_request_headers', { requestHeaders: headers }, headers.size, end);
    if (this.response) {
      return;
    }
    if (this.stopped || (status ?? HeadersStatus.Continue) !== HeadersStatus.Continue) {
      this.#headsStopped = true;
      return;
    }
    this.upstream = { headers: new Headers(headers), pieces: [], trailers: undefined, ended: Boolean(end) };
  }

  // Sends a piece of the request's body.
  sendBody(piece, end) {
    if (this.response || this.#headsStopped) {
      return;
    }
    const bytes = Buffer.concat([this.#buffered ?? Buffer.alloc(0), Buffer.from(piece)]);
    const status = this.#call('proxy_on_request_body', { requestBody: bytes }, bytes.length, end) ?? DataStatus.Continue;
    this.#buffered = undefined;
    if (this.response || this.stopped) {
      return;
    }
    if (status === DataStatus.Continue) {
      this.upstream.pieces.push(bytes);
      this.upstream.ended = Boolean(end);
    } else if (status === DataStatus.StopIterationAndBuffer) {
      this.#buffered = bytes;
    }
  }

  sendTrailers(trailers) {
    if (this.response || this.#headsStopped) {
      return;
    }
    // With the trailers, the filter still sees the body that it has buffered.
    const shown = { requestTrailers: trailers, requestBody: this.#buffered };
    const status = this.#call('proxy_on_request_trailers', shown, trailers.size) ?? 0;
    if (this.response || this.stopped || status !== 0) {
      return;
    }
    if (this.#buffered) {
      this.upstream.pieces.push(this.#buffered);
    }
    Object.assign(this.upstream, { trailers: new Headers(trailers), ended: true });
  }

  // Sends the upstream's answer back through the filter.
  answerFromUpstream(status, headers = {}, body = '') {
    const head = new Headers({ ':status': String(status), ...headers });
    const bytes = Buffer.from(body);
    this.#encode(head, bytes);
    this.response ??= { status: Number(head.get(':status')), headers: head, body: bytes };
  }

  // The filter answers by itself. In place of a request the answer goes back through the filter, in place of another answer it does not
  // (FilterManager::sendLocalReply).
  respondLocally(headers, body) {
    if (this.response) {
      return;
    }
    this.response = { status: Number(headers.get(':status')), headers, body };
    if (!this.#encoding) {
      this.#encode(headers, body);
    }
  }

  close() {
    this.#vm.close(this.#context);
  }

  // The host functions that the filter has called for this stream.
  get hostCalls() {
    return this.#vm.trace.filter(({ context }) => context === this.#context.id).map(({ name }) => name);
  }

  #encode(headers, body) {
    this.#encoding = true;
    this.#call('proxy_on_response_headers', { responseHeaders: headers }, headers.size, Number(body.length === 0));
    if (body.length > 0) {
      this.#call('proxy_on_response_body', { responseBody: body }, body.length, 1);
    }
    this.#encoding = false;
  }

  #call(name, visible, ...words) {
    this.current = { ...NOTHING, ...visible };
    const status = this.#vm.call(name, this.#context, ...words.map(Number));
    this.current = { ...NOTHING };
    return status;
  }
}
