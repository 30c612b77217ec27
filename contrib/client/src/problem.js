// SPDX-License-Identifier: BSD-2-Clause
// What a request failed with: the server's RFC 9457 problem, or one of our own (status 0) with the codes
// `disconnected`, `timeout` and `cancelled`.

const TRANSIENT = new Set(['unavailable', 'overloaded', 'rate_limited', 'request_timeout', 'disconnected', 'timeout']);
const TOKEN = new Set(['token_invalid', 'token_expired', 'token_revoked']);

export class Problem extends Error {
    constructor(code, {status = 0, detail = null, requestId = null, retryAfterMs = null, cause} = {}) {
        super(detail ?? code, cause === undefined ? undefined : {cause});
        this.name = 'Problem';
        this.code = code;
        this.status = status;
        this.detail = detail;
        this.requestId = requestId;
        this.retryAfterMs = retryAfterMs;
    }

    // The same request may succeed later, with nothing about it changed.
    get transient() {
        return TRANSIENT.has(this.code) || (this.status >= 500 && this.code !== 'quota_exceeded');
    }

    // It is the token that was refused, not the request.
    get aboutToken() {
        return TOKEN.has(this.code);
    }
}
